/** What is done here while the notebook comes again with another history, and what is taken back after others came. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { YMarkdownCell, YNotebook } from '@jupyter/ydoc';
import { RequestError } from '../src/requests.js';
import { Hub } from './support/hub.js';
import { exchange, ids, ITab, sources } from './support/rooms.js';
import { open, two } from './support/tabs.js';

const four = (): Hub =>
  new Hub(['a', 'b', 'c', 'd'].map((id, index) => ({ id, source: id, position: `b${index + 1}` })));

/** Hand the notebook over to another history while somebody does something here. */
async function meanwhile(hub: Hub, other: Hub, act: (shared: YNotebook) => void): Promise<ITab> {
  const tab = await open(hub);
  hub.disconnect(tab.transport);
  tab.server.beforeMerge = () => act(tab.shared);
  assert.equal(await tab.transport.lose(4410), true);
  other.connect(tab.transport);
  exchange(other, tab);
  return tab;
}

test('a replica of another lineage is handed over, and what was typed meanwhile stays', async () => {
  const hub = two();
  const tab = await open(hub);
  hub.disconnect(tab.transport);
  const other = new Hub([
    { id: 'one', source: 'x = 2' },
    { id: 'three', source: 'other' }
  ]);
  assert.equal(await tab.transport.lose(4410), true);
  assert.equal(tab.server.merged.length, 1);
  tab.shared.cells[0].setSource('typed meanwhile');
  other.connect(tab.transport);
  exchange(other, tab);
  assert.deepEqual(ids(tab), ['one', 'three']);
  assert.equal(other.source('one'), 'typed meanwhile2', 'which leaves what others typed meanwhile');
});

test('what is typed while a merge fails is handed over with the next', async () => {
  const hub = two();
  const tab = await open(hub);
  hub.disconnect(tab.transport);
  tab.server.beforeMerge = () => {
    tab.shared.cells[0].setSource('typed meanwhile');
    tab.shared.insertCell(1, { id: 'new', cell_type: 'code', source: 'inserted' } as never);
    throw new RequestError('disconnected', 'no server');
  };
  assert.equal(await tab.transport.lose(4410), true);
  assert.equal(tab.room.notebook.source('one'), 'typed meanwhile');
  assert.deepEqual(tab.room.notebook.order, ['one', 'new', 'two']);
  tab.server.beforeMerge = () => tab.shared.deleteCell(2);
  assert.equal(await tab.transport.lose(4410), true);
  const other = new Hub([
    { id: 'one', source: 'typed meanwhile' },
    { id: 'new', source: 'inserted' },
    { id: 'two', source: 'hé😀' },
    { id: 'three', source: 'of the others' }
  ]);
  other.connect(tab.transport);
  exchange(other, tab);
  assert.deepEqual(ids(tab), ['one', 'new', 'three']);
  assert.deepEqual(other.order, ids(tab), 'what was deleted during the merge is, too');
});

test('cells that come and go while a merge is under way do so in the merged notebook', async () => {
  const hub = two();
  const tab = await open(hub);
  hub.disconnect(tab.transport);
  tab.server.beforeMerge = () => {
    tab.shared.insertCell(1, { id: 'new', cell_type: 'code', source: 'inserted' } as never);
    tab.shared.deleteCell(0);
  };
  assert.equal(await tab.transport.lose(4410), true);
  const other = new Hub([
    { id: 'one', source: 'x = 1' },
    { id: 'three', source: 'of the others' }
  ]);
  other.connect(tab.transport);
  exchange(other, tab);
  assert.deepEqual([...other.order].sort(), ['new', 'three'], 'two was deleted by the others');
  assert.deepEqual(ids(tab), other.order);
  assert.deepEqual(
    sources(tab),
    other.order.map(id => other.source(id))
  );
});

test('a cell that is moved while a merge is under way has what others wrote in it', async () => {
  const other = new Hub([
    { id: 'one', source: 'x = 1  # by others', metadata: { tags: ['theirs'] } },
    { id: 'two', source: 'hé😀' }
  ]);
  const tab = await meanwhile(two(), other, shared => shared.moveCell(0, 1));
  assert.equal(other.source('one'), 'x = 1  # by others');
  assert.deepEqual(other.notebook.value(other.cell('one'), 'metadata'), { tags: ['theirs'] });
  assert.deepEqual(other.order, ['two', 'one']);
  assert.deepEqual([ids(tab), sources(tab)], [other.order, ['hé😀', 'x = 1  # by others']]);
});

test('what is typed while a merge is under way stands beside what others wrote', async () => {
  const other = new Hub([
    { id: 'one', source: 'their x = 1' },
    { id: 'two', source: 'HÉ😀' }
  ]);
  const tab = await meanwhile(two(), other, shared => {
    shared.cells[0].updateSource(5, 5, ' + mine');
    shared.cells[1].updateSource(0, 2, '');
    shared.cells[0].setMetadata('tags', ['mine']);
    shared.setMetadata('authors', [{ name: 'Alice' }]);
  });
  assert.equal(other.source('one'), 'their x = 1 + mine');
  assert.equal(other.source('two'), 'HÉ😀', 'what both replaced, by what the others wrote');
  assert.deepEqual(sources(tab), ['their x = 1 + mine', 'HÉ😀']);
  assert.deepEqual(other.notebook.value(other.cell('one'), 'metadata'), { tags: ['mine'] });
  assert.deepEqual(other.notebook.value('_root', 'metadata'), { authors: [{ name: 'Alice' }] });
});

test('a cell that is added while a merge is under way leaves others where they were moved to', async () => {
  const moved = new Hub(
    ['c', 'a', 'b', 'd'].map((id, index) => ({ id, source: id, position: `b${index + 1}` }))
  );
  const tab = await meanwhile(four(), moved, shared => {
    shared.insertCell(1, { id: 'new', cell_type: 'code', source: 'new' } as never);
    shared.moveCell(4, 0);
  });
  assert.deepEqual(moved.order, ['d', 'c', 'a', 'new', 'b']);
  assert.deepEqual(ids(tab), moved.order);
});

test('a type that is changed while a merge is under way changes that of the merged cell', async () => {
  const other = new Hub([
    { id: 'one', source: 'x = 1  # by others' },
    { id: 'two', source: 'hé😀', type: 'markdown' }
  ]);
  const tab = await meanwhile(two(), other, shared => {
    const json = shared.cells[0].toJSON();
    shared.transact(() => {
      shared.deleteCell(0);
      shared.insertCell(0, { ...json, cell_type: 'raw' } as never);
    });
    shared.moveCell(1, 0);
  });
  assert.deepEqual(
    tab.shared.cells.map(cell => [cell.getId(), cell.cell_type, cell.getSource()]),
    [
      ['two', 'markdown', 'hé😀'],
      ['one', 'raw', 'x = 1  # by others']
    ]
  );
  assert.ok(tab.shared.cells[0] instanceof YMarkdownCell);
});

test('a move that is taken back leaves what others wrote since', async () => {
  const hub = four();
  const [alice, bob] = [await open(hub), await open(hub)];
  alice.shared.moveCell(0, 3);
  exchange(hub, alice, bob);
  bob.shared.cells[3].updateSource(1, 1, ' by bob');
  bob.shared.cells[3].setMetadata('tags', ['bob']);
  exchange(hub, alice, bob);
  for (const order of ['a,b,c,d', 'b,c,d,a', 'a,b,c,d']) {
    assert.ok(order.startsWith('a') ? alice.shared.undo() : alice.shared.redo());
    exchange(hub, alice, bob);
    assert.equal(ids(alice).join(), order);
    assert.equal(hub.source('a'), 'a by bob');
    assert.deepEqual(hub.notebook.value(hub.cell('a'), 'metadata'), { tags: ['bob'] });
    for (const tab of [alice, bob]) {
      const at = ids(tab).indexOf('a');
      assert.deepEqual(ids(tab), hub.order);
      assert.equal(sources(tab)[at], 'a by bob');
      assert.deepEqual(tab.shared.cells[at].getMetadata('tags'), ['bob']);
    }
  }
});

test('a type that is taken back leaves what others wrote since', async () => {
  const hub = two();
  const [alice, bob] = [await open(hub), await open(hub)];
  const json = alice.shared.cells[0].toJSON();
  alice.shared.transact(() => {
    alice.shared.deleteCell(0);
    alice.shared.insertCell(0, { ...json, cell_type: 'markdown' } as never);
  });
  exchange(hub, alice, bob);
  bob.shared.cells[0].updateSource(5, 5, ' by bob');
  exchange(hub, alice, bob);
  assert.ok(alice.shared.undo());
  exchange(hub, alice, bob);
  assert.equal(hub.source('one'), 'x = 1 by bob');
  for (const tab of [alice, bob]) {
    assert.deepEqual(sources(tab), ['x = 1 by bob', 'hé😀']);
    assert.equal(tab.shared.cells[0].cell_type, 'code');
  }
});

test('a move that is taken back after somebody else moved the cell doubles nothing', async () => {
  const hub = four();
  const [alice, bob] = [await open(hub), await open(hub)];
  alice.shared.moveCell(0, 3);
  exchange(hub, alice, bob);
  bob.shared.moveCell(3, 1);
  exchange(hub, alice, bob);
  alice.shared.undo();
  exchange(hub, alice, bob);
  assert.deepEqual([...hub.order].sort(), ['a', 'b', 'c', 'd']);
  for (const tab of [alice, bob]) {
    assert.deepEqual(ids(tab), hub.order);
    assert.deepEqual(sources(tab), hub.order);
  }
});

test('a cell that is moved before its attachments have come keeps them', async () => {
  const hub = new Hub([
    { id: 'one', source: '![a](attachment:a.png)', type: 'markdown' },
    { id: 'two', source: '' }
  ]);
  const reference = { blob: 'a'.repeat(64), size: 3 };
  hub.notebook.put(hub.cell('one'), 'attachments', { 'a.png': { 'image/png': reference } });
  const tab = await open(hub); // whose server has not got it
  tab.shared.moveCell(0, 1);
  exchange(hub, tab);
  assert.deepEqual(hub.order, ['two', 'one']);
  assert.deepEqual(hub.notebook.value(hub.cell('one'), 'attachments'), {
    'a.png': { 'image/png': reference }
  });
});

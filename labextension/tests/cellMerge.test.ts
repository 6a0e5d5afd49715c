/** Cells that are merged here while others type in them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hub } from './support/hub.js';
import { exchange, ids, ITab, sources } from './support/rooms.js';
import { open } from './support/tabs.js';

const three = (): Hub =>
  new Hub(
    ['a', 'b', 'c'].map((id, index) => ({ id, source: `${id} = 1`, position: `b${index + 1}` }))
  );

/** Merge cells as JupyterLab does. */
function merge(
  { shared }: ITab,
  from: number,
  to: number,
  active = from,
  separator = '\n\n'
): void {
  const parts = shared.cells.slice(from, to).map(cell => cell.getSource());
  shared.transact(() => {
    shared.deleteCell(active);
    shared.insertCell(active, { cell_type: 'code', source: parts.join(separator), metadata: {} });
    for (let index = to - 1; index >= from; index--) {
      if (index !== active) {
        shared.deleteCell(index);
      }
    }
  });
}

function type({ shared }: ITab, index: number, text: string): void {
  shared.cells[index].updateSource(
    shared.cells[index].getSource().length,
    shared.cells[index].getSource().length,
    text
  );
}

for (const [active, separator] of [
  [0, '\n\n'],
  [1, '\n\n'],
  [1, '\n']
] as const) {
  test(`what others type in cells that are merged meanwhile is in the merged cell (${active}, ${separator.length})`, async () => {
    const hub = three();
    const [alice, bob] = [await open(hub), await open(hub)];
    type(bob, 0, '0');
    type(bob, 1, '00 # bob');
    merge(alice, 0, 2, active, separator);
    alice.shared.cells[0].updateSource(0, 0, 'alice, ');
    exchange(hub, alice);
    exchange(hub, alice, bob);
    const wanted = [`alice, a = 10${separator}b = 100 # bob`, 'c = 1'];
    for (const tab of [alice, bob]) {
      assert.deepEqual(sources(tab), wanted);
    }
    assert.deepEqual(
      hub.order.map(id => hub.source(id)),
      wanted
    );
    assert.deepEqual(ids(alice), ids(bob));
    type(bob, 0, '!');
    exchange(hub, alice, bob);
    assert.equal(sources(alice)[0], `${wanted[0]}!`, 'it is carried once');
  });
}

test('what others typed before they were away is carried when they come back, into what was merged again', async () => {
  const hub = three();
  const [alice, bob] = [await open(hub), await open(hub)];
  hub.disconnect(bob.transport);
  await bob.transport.lose();
  type(bob, 0, '0');
  merge(alice, 0, 2);
  exchange(hub, alice);
  merge(alice, 0, 2);
  exchange(hub, alice);
  type(bob, 1, '00');
  hub.connect(bob.transport);
  exchange(hub, alice, bob);
  for (const tab of [alice, bob]) {
    assert.deepEqual(sources(tab), ['a = 10\n\nb = 100\n\nc = 1']);
  }
});

for (const [again, before, after] of [
  [false, ['a = 1', 'b = 1', 'c = 1'], ['a = 1', 'b = 100', 'c = 1']],
  [true, ['a = 1\n\nb = 1', 'c = 1'], ['a = 1\n\nb = 100', 'c = 1']]
] as const) {
  test(`a merge that is taken back${again ? ', and done again,' : ''} keeps what others typed meanwhile`, async () => {
    const hub = three();
    const [alice, bob] = [await open(hub), await open(hub)];
    hub.disconnect(bob.transport);
    await bob.transport.lose();
    type(bob, 1, '00');
    merge(alice, 0, 2);
    exchange(hub, alice);
    alice.shared.undo();
    exchange(hub, alice);
    if (again) {
      alice.shared.redo();
      exchange(hub, alice);
    }
    assert.deepEqual(sources(alice), before);
    hub.connect(bob.transport);
    exchange(hub, alice, bob);
    for (const tab of [alice, bob]) {
      assert.deepEqual(sources(tab), after);
    }
  });
}

test('cells that are deleted, with another made, are no merge', async () => {
  const hub = three();
  const [alice, bob] = [await open(hub), await open(hub)];
  type(bob, 0, '0');
  alice.shared.transact(() => {
    alice.shared.deleteCellRange(0, 2);
    alice.shared.insertCell(0, { cell_type: 'code', source: 'else', metadata: {} });
  });
  exchange(hub, alice, bob);
  for (const tab of [alice, bob]) {
    assert.deepEqual(sources(tab), ['else', 'c = 1']);
  }
});

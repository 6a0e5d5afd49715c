import assert from 'node:assert/strict';
import { test } from 'node:test';
import { YCodeCell, YMarkdownCell } from '@jupyter/ydoc';
import { FrameType } from '../src/frames.js';
import { Hub, settle } from './support/hub.js';
import { exchange, ids, sources } from './support/rooms.js';
import { open, two } from './support/tabs.js';

test('a tab shows the cells of the document', async () => {
  const tab = await open(two());
  await tab.room.opening.begun;
  assert.deepEqual(ids(tab), ['one', 'two']);
  assert.deepEqual(sources(tab), ['x = 1', 'hé😀']);
  assert.equal(tab.shared.nbformat_minor, 5);
});

test('what is typed is in the document before control returns', async () => {
  const tab = await open(two());
  tab.shared.cells[1].updateSource(4, 4, '!');
  assert.equal(tab.room.notebook.source('two'), 'hé😀!');
  assert.equal(tab.shared.dirty, false, 'the server has it in a moment');
});

test('two tabs type in one cell, emoji and all, and agree', async () => {
  const hub = two();
  const [alice, bob] = [await open(hub), await open(hub)];
  alice.shared.cells[1].updateSource(0, 0, '👩‍🔬a');
  bob.shared.cells[1].updateSource(4, 4, 'b🎉');
  exchange(hub, alice, bob);
  assert.equal(sources(alice)[1], '👩‍🔬ahé😀b🎉');
  assert.deepEqual(sources(alice), sources(bob));
  assert.equal(hub.source('two'), sources(bob)[1]);
});

test('a cell that gets a whole new text is changed only where that differs', async () => {
  const hub = two();
  const [alice, bob] = [await open(hub), await open(hub)];
  const caret = hub.notebook.cursor(hub.text('one'), 4);
  alice.shared.cells[0].setSource('= 1');
  bob.shared.cells[0].updateSource(4, 4, '0'); // before he has heard of it
  exchange(hub, alice, bob);
  assert.deepEqual([hub.source('one'), sources(alice)[0], sources(bob)[0]], Array(3).fill('= 01'));
  assert.equal(hub.notebook.cursorIndex(hub.text('one'), caret), 3);
  alice.shared.cells[1].setSource('é');
  exchange(hub, alice, bob);
  assert.deepEqual([hub.source('two'), sources(bob)[1]], ['é', 'é']);
});

test('undo takes back only what was typed here', async () => {
  const hub = two();
  const [alice, bob] = [await open(hub), await open(hub)];
  alice.shared.cells[0].updateSource(5, 5, ' + a');
  exchange(hub, alice, bob);
  bob.shared.cells[0].updateSource(0, 0, 'b = ');
  exchange(hub, alice, bob);
  assert.equal(alice.shared.cells[0].undo(), true);
  exchange(hub, alice, bob);
  assert.equal(hub.source('one'), 'b = x = 1');
  assert.equal(sources(bob)[0], 'b = x = 1');
});

test('a cell that is moved keeps its identity in the document', async () => {
  const hub = new Hub(
    ['a', 'b', 'c', 'd'].map((id, index) => ({ id, source: id, position: `b${index + 1}` }))
  );
  const [alice, bob] = [await open(hub), await open(hub)];
  const [before, object] = [bob.shared.cells[1], hub.cell('d')];
  alice.shared.moveCell(3, 0);
  exchange(hub, alice, bob);
  assert.deepEqual(ids(bob), ['d', 'a', 'b', 'c']);
  assert.deepEqual(hub.order, ['d', 'a', 'b', 'c']);
  assert.equal(hub.cell('d'), object);
  assert.equal(bob.shared.cells[2], before, 'cells that stayed are not made anew');
  for (const [from, to] of [
    [0, 1],
    [1, 0]
  ]) {
    const neighbour = bob.shared.cells[to];
    alice.shared.moveCell(from, to);
    exchange(hub, alice, bob);
    assert.equal(bob.shared.cells[from], neighbour, 'nor is the other of two that change places');
  }
});

test('the cell somebody is in stays when another moves it', async () => {
  const hub = new Hub(
    ['a', 'b', 'c', 'd'].map((id, index) => ({ id, source: id, position: `b${index + 1}` }))
  );
  const [alice, bob] = [await open(hub), await open(hub)];
  for (const [from, to] of [
    [0, 3],
    [3, 1],
    [1, 0]
  ]) {
    bob.room.awareness.focus = 'a';
    const before = bob.shared.cells[from];
    alice.shared.moveCell(from, to);
    exchange(hub, alice, bob);
    assert.equal(bob.shared.cells[to], before);
    assert.deepEqual(ids(bob), ids(alice));
    assert.equal(ids(bob)[to], 'a');
  }
});

test('JupyterLab hears of one coming or going at a time', async () => {
  const hub = new Hub(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((id, index) => ({
      id,
      source: id,
      position: `b${index + 1}`
    }))
  );
  const [alice, bob] = [await open(hub), await open(hub)];
  const steps: number[] = [];
  bob.shared.changed.connect((_, { cellsChange }) => {
    steps.push((cellsChange ?? []).filter(({ retain }) => retain === undefined).length);
  });
  alice.shared.moveCells(4, 1, 2);
  alice.shared.deleteCell(0);
  alice.shared.insertCell(4, { cell_type: 'code', source: 'new' } as never);
  exchange(hub, alice, bob);
  assert.deepEqual(sources(bob), sources(alice));
  assert.ok(steps.filter(step => step > 0).length > 2);
  assert.equal(Math.max(...steps), 1);
});

test('a type change keeps the cell', async () => {
  const hub = two();
  const [alice, bob] = [await open(hub), await open(hub)];
  const object = hub.cell('one');
  const json = alice.shared.cells[0].toJSON();
  alice.shared.transact(() => {
    alice.shared.deleteCell(0);
    alice.shared.insertCell(0, { ...json, cell_type: 'markdown' } as never);
  });
  exchange(hub, alice, bob);
  assert.equal(hub.cell('one'), object);
  assert.ok(bob.shared.cells[0] instanceof YMarkdownCell);
  assert.equal(sources(bob)[0], 'x = 1');
});

test('cells are inserted, deleted, and an undone deletion brings one back', async () => {
  const hub = two();
  const [alice, bob] = [await open(hub), await open(hub)];
  alice.shared.insertCell(1, { cell_type: 'code', source: 'new' } as never);
  exchange(hub, alice, bob);
  assert.deepEqual(sources(bob), ['x = 1', 'new', 'hé😀']);
  alice.shared.undoManager.stopCapturing();
  alice.shared.deleteCell(2);
  exchange(hub, alice, bob);
  assert.deepEqual(sources(bob), ['x = 1', 'new']);
  alice.shared.undo();
  exchange(hub, alice, bob);
  assert.deepEqual(sources(bob), ['x = 1', 'new', 'hé😀']);
  assert.deepEqual(ids(bob), ids(alice));
});

test('a pasted cell with an id that is taken gets another', async () => {
  const hub = two();
  const tab = await open(hub);
  tab.shared.insertCell(1, { id: 'one', cell_type: 'code', source: 'copy' } as never);
  exchange(hub, tab);
  assert.equal(new Set(ids(tab)).size, 3);
  assert.deepEqual(
    hub.order.map(id => hub.source(id)),
    ['x = 1', 'copy', 'hé😀']
  );
});

test('metadata goes both ways, trust goes nowhere', async () => {
  const hub = two();
  const [alice, bob] = [await open(hub), await open(hub)];
  alice.shared.cells[0].setMetadata('tags', ['a']);
  alice.shared.cells[0].setMetadata('trusted', true);
  alice.shared.setMetadata('authors', [{ name: 'Alice' }]);
  exchange(hub, alice, bob);
  assert.deepEqual(hub.notebook.value(hub.cell('one'), 'metadata'), { tags: ['a'] });
  assert.deepEqual(bob.shared.cells[0].getMetadata('tags'), ['a']);
  assert.deepEqual(bob.shared.getMetadata('authors'), [{ name: 'Alice' }]);
  bob.shared.cells[0].deleteMetadata('tags');
  exchange(hub, alice, bob);
  assert.equal(alice.shared.cells[0].getMetadata('tags'), undefined);
  assert.equal(alice.shared.cells[0].getMetadata('trusted'), true);
});

test('what JupyterLab notes of a kernel by itself changes no notebook', async () => {
  const language = { name: 'python', version: '3.8' };
  const hub = new Hub([{ id: 'one', source: '' }], { language_info: language });
  const heads = hub.notebook.heads;
  const tab = await open(hub);
  tab.shared.setMetadata('language_info', { name: 'python', version: '3.12' });
  tab.shared.setMetadata('kernelspec', { name: 'python3', display_name: 'Python 3' });
  exchange(hub, tab);
  assert.deepEqual(hub.notebook.heads, heads);
  tab.shared.cells[0].setSource('1');
  exchange(hub, tab);
  assert.deepEqual(hub.notebook.value('_root', 'metadata'), {
    language_info: language,
    kernelspec: { name: 'python3', display_name: 'Python 3' }
  });
});

test('choosing another kernel is an edit', async () => {
  const hub = new Hub([], { kernelspec: { name: 'python3' } });
  const tab = await open(hub);
  tab.shared.setMetadata('kernelspec', { name: 'ir', display_name: 'R' });
  exchange(hub, tab);
  assert.deepEqual(hub.notebook.value('_root', 'metadata'), {
    kernelspec: { name: 'ir', display_name: 'R' }
  });
});

test('a notebook without cells shows one, which is not in it until somebody types', async () => {
  const hub = new Hub();
  const heads = hub.notebook.heads;
  const tab = await open(hub);
  assert.equal(tab.shared.cells.length, 1);
  tab.shared.cells[0].setMetadata('trusted', true);
  exchange(hub, tab);
  assert.deepEqual(hub.notebook.heads, heads);
  tab.shared.cells[0].setSource('1 + 1');
  exchange(hub, tab);
  assert.deepEqual(
    hub.order.map(id => hub.source(id)),
    ['1 + 1']
  );
});

test('the cell that is not there goes when real ones come', async () => {
  const hub = new Hub();
  const tab = await open(hub);
  hub.addCell({ id: 'real', source: 'real' });
  settle(hub, tab.transport);
  assert.deepEqual(ids(tab), ['real']);
});

test('whoever may not write sees his edit vanish', async () => {
  const hub = two();
  hub.status.writable = false;
  const heads = hub.notebook.heads;
  const tab = await open(hub);
  tab.shared.cells[0].setSource('mine');
  tab.shared.deleteCell(1);
  await Promise.resolve();
  exchange(hub, tab);
  assert.deepEqual(sources(tab), ['x = 1', 'hé😀']);
  assert.deepEqual(hub.notebook.heads, heads);
});

test('what was typed without a connection goes up with the next', async () => {
  const hub = two();
  const [alice, bob] = [await open(hub), await open(hub)];
  hub.disconnect(alice.transport);
  await alice.transport.lose();
  alice.shared.cells[0].updateSource(5, 5, ' + a');
  alice.shared.insertCell(2, { cell_type: 'code', source: 'offline' } as never);
  bob.shared.cells[0].updateSource(0, 0, 'b = ');
  exchange(hub, bob);
  assert.equal(alice.room.connection, 'offline');
  assert.equal(alice.shared.dirty, true, 'closing the tab now would lose it');
  assert.ok(alice.room.engine.unconfirmed > 0);
  hub.connect(alice.transport);
  exchange(hub, alice, bob);
  assert.deepEqual(sources(alice), ['b = x = 1 + a', 'hé😀', 'offline']);
  assert.deepEqual(sources(bob), sources(alice));
  assert.equal(alice.room.engine.unconfirmed, 0);
});

test('outputs come from the runtime document', async () => {
  const hub = new Hub([{ id: 'one', source: 'print(1)', executionId: 'e' }]);
  hub.execution('e', {
    cell_id: 'one',
    execution_count: 3,
    outputs: {
      b: {
        output_type: 'execute_result',
        data: { 'text/plain': '1' },
        metadata: {},
        execution_count: 3,
        seq: 2
      },
      a: { output_type: 'stream', name: 'stdout', text: ['1', '\n'], seq: 1 }
    }
  });
  const cell = (await open(hub)).shared.cells[0] as YCodeCell;
  assert.deepEqual(cell.getOutputs(), [
    { output_type: 'stream', name: 'stdout', text: '1\n' },
    { output_type: 'execute_result', data: { 'text/plain': '1' }, metadata: {}, execution_count: 3 }
  ]);
  assert.equal(cell.execution_count, 3);
  assert.equal(cell.executionState, 'idle');
  assert.equal(cell.getMetadata('trusted'), true);
});

test('outputs of a file are not trusted', async () => {
  const hub = new Hub([{ id: 'one', source: '', executionId: 'e' }]);
  hub.execution('e', {
    queued_at: null,
    submitted_by: '',
    outputs: {
      a: { output_type: 'display_data', data: { 'text/html': '<script>' }, metadata: {}, seq: 1 }
    }
  });
  const cell = (await open(hub)).shared.cells[0];
  assert.equal(cell.getMetadata('trusted'), undefined);
});

test('a stream grows at its end, and shrinks when a line is written over', async () => {
  const hub = new Hub([{ id: 'one', source: '', executionId: 'e' }]);
  const say = (...text: string[]): void =>
    hub.execution('e', {
      status: 'running',
      outputs: { a: { output_type: 'stream', name: 'stdout', text, seq: 1 } }
    });
  say('10%');
  const tab = await open(hub);
  const cell = tab.shared.cells[0] as YCodeCell;
  const deltas: unknown[] = [];
  cell.changed.connect((_, change) => {
    const delta = (change as { streamOutputChange?: unknown }).streamOutputChange;
    if (delta !== undefined) {
      deltas.push(delta);
    }
  });
  say('10% 20%\n');
  settle(hub, tab.transport);
  void tab.room.bridge.outputs.show('one');
  say('10% 99');
  settle(hub, tab.transport);
  void tab.room.bridge.outputs.show('one');
  assert.deepEqual(cell.getOutputs(), [{ output_type: 'stream', name: 'stdout', text: '10% 99' }]);
  assert.deepEqual(deltas, [
    [{ retain: 3 }, { insert: ' 20%\n' }],
    [{ retain: 4 }, { delete: 4 }],
    [{ retain: 4 }, { insert: '99' }]
  ]);
  assert.equal(cell.executionState, 'running');
});

test('large output is fetched before it is shown', async () => {
  const hash = 'a'.repeat(64);
  const hub = new Hub([{ id: 'one', source: '', executionId: 'e' }]);
  const tab = await open(hub);
  tab.server.blobs.set(hash, new Uint8Array([1, 2, 3]));
  hub.execution('e', {
    outputs: {
      a: {
        output_type: 'display_data',
        data: { 'image/png': { blob: hash, size: 3 } },
        metadata: {},
        seq: 1
      }
    }
  });
  settle(hub, tab.transport);
  await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual((tab.shared.cells[0] as YCodeCell).getOutputs(), [
    { output_type: 'display_data', data: { 'image/png': 'AQID' }, metadata: {} }
  ]);
});

test('clearing outputs here asks the server to', async () => {
  const hub = new Hub([{ id: 'one', source: '', executionId: 'e' }]);
  hub.execution('e', {
    outputs: { a: { output_type: 'stream', name: 'stdout', text: ['1'], seq: 1 } }
  });
  const tab = await open(hub);
  (tab.shared.cells[0] as YCodeCell).clearOutputs();
  hub.turn();
  assert.equal(hub.requests.length, 1);
  assert.equal(hub.requests[0].action, 'clear_outputs');
  assert.deepEqual(hub.requests[0].cell_ids, ['one']);
});

test('attachments are stored as blobs and shown as base64', async () => {
  const hub = new Hub([{ id: 'one', source: '', type: 'markdown' }]);
  const [alice, bob] = [await open(hub), await open(hub)];
  const image = Buffer.alloc(2000, 7).toString('base64');
  (alice.shared.cells[0] as YMarkdownCell).setAttachments({ 'a.png': { 'image/png': image } });
  await new Promise(resolve => setImmediate(resolve));
  alice.server.blobs.forEach((data, hash) => bob.server.blobs.set(hash, data));
  exchange(hub, alice, bob);
  await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(hub.notebook.value(hub.cell('one'), 'attachments'), {
    'a.png': { 'image/png': { blob: '2000'.padStart(64, '0'), size: 2000 } }
  });
  assert.deepEqual((bob.shared.cells[0] as YMarkdownCell).getAttachments(), {
    'a.png': { 'image/png': image }
  });
});

test('a caret is found by the others where it stands, whatever is typed before it', async () => {
  const hub = two();
  const [alice, bob] = [await open(hub), await open(hub)];
  const text = alice.room.notebook.text('two') as string;
  const cursor = alice.room.notebook.replica.cursor(text, 2);
  hub.tell(FrameType.Presence, {
    peer_id: 'p1',
    user: { username: 'alice', name: 'Alice Ada' },
    cursor: { cell_id: 'two', anchor: cursor, head: cursor }
  });
  bob.shared.cells[1].updateSource(0, 0, '😀😀');
  exchange(hub, alice, bob);
  const states = [...bob.shared.awareness.getStates().values()] as {
    user?: { initials: string };
  }[];
  assert.deepEqual(
    states.flatMap(({ user }) => (user ? [user.initials] : [])),
    ['AA']
  );
});

test('a room that failed to load says why', async () => {
  const hub = new Hub();
  hub.status.load = { phase: 'failed', error: { code: 'load_failed', message: 'not JSON' } };
  const tab = await open(hub);
  await assert.rejects(tab.room.opening.begun, /not JSON/);
});

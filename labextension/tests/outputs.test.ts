import assert from 'node:assert/strict';
import { test } from 'node:test';
import { YCodeCell, YNotebook } from '@jupyter/ydoc';
import { MemoryTransport } from '../src/memoryTransport.js';
import { Room } from '../src/room.js';
import { Hub, settle } from './support/hub.js';
import { exchange, ITab, TestServer } from './support/rooms.js';
import { closedAfterwards, open } from './support/tabs.js';

const BLOB = 'ab'.repeat(32);
const SHOWN = { output_type: 'display_data', data: { 'text/plain': 'a long text' }, metadata: {} };

function hubWithBlob(): Hub {
  const hub = new Hub([
    { id: 'one', source: '', executionId: 'e' },
    { id: 'two', source: '' }
  ]);
  const data = { 'text/plain': { blob: BLOB, size: 11 } };
  hub.execution('e', {
    cell_id: 'one',
    outputs: { a: { output_type: 'display_data', data, metadata: {}, seq: 1 } }
  });
  return hub;
}

/** A tab in which nobody has looked at anything yet. */
async function openUnseen(hub: Hub): Promise<ITab & { fetched: string[] }> {
  const [shared, transport, server] = [new YNotebook(), new MemoryTransport(), new TestServer()];
  const fetched: string[] = [];
  server.blobs.set(BLOB, new TextEncoder().encode('a long text'));
  const blob = server.blob.bind(server);
  server.blob = hash => (fetched.push(hash), blob(hash));
  const room = new Room({ path: 'a.ipynb', shared, server, makeTransport: () => transport });
  room.bridge.outputs.beLazy();
  await room.start();
  hub.connect(transport);
  settle(hub, transport);
  return closedAfterwards({ room, shared, transport, server, fetched });
}

function outputs(tab: ITab, index: number): unknown[] {
  return (tab.shared.cells[index] as YCodeCell).getOutputs();
}

test('what nobody sees is not fetched, and once it is near it is', async () => {
  const tab = await openUnseen(hubWithBlob());
  await tab.room.bridge.outputs.show('one');
  assert.deepEqual(tab.fetched, []);
  assert.equal(outputs(tab, 0).length, 1);
  tab.room.bridge.outputs.approach('one');
  await tab.room.bridge.outputs.show('one');
  assert.deepEqual(outputs(tab, 0), [SHOWN]);
  assert.deepEqual(tab.fetched, [BLOB]);
});

test('fields that nobody knows are shown with their values, and no data is taken for a reference', async () => {
  const hub = hubWithBlob();
  const odd = { blob: BLOB, size: 11 };
  const large = { blob: BLOB, size: 11 };
  hub.execution('e', {
    cell_id: 'one',
    outputs: {
      a: { output_type: 'display_data', data: {}, metadata: odd, mine: [1], large, seq: 1 },
      b: { output_type: 'stream', name: 'stdout', text: ['x'], metadata: large, seq: 2 },
      c: { output_type: 'mine', data: large, seq: 3, original: { blob: 'cd'.repeat(32), size: 1 } }
    }
  });
  const tab = await openUnseen(hub);
  tab.room.bridge.outputs.approach('one');
  await tab.room.bridge.outputs.show('one');
  assert.deepEqual(outputs(tab, 0), [
    { output_type: 'display_data', data: {}, metadata: odd, mine: [1], large: 'a long text' },
    { output_type: 'stream', name: 'stdout', text: 'x', metadata: 'a long text' },
    { output_type: 'mine', data: 'a long text' }
  ]);
  assert.deepEqual(tab.fetched, [BLOB]);
});

test('all of it is there when all of it is asked for', async () => {
  const tab = await openUnseen(hubWithBlob());
  await tab.room.bridge.showAllOutputs();
  assert.deepEqual(outputs(tab, 0), [SHOWN]);
});

for (const isSeen of [true, false]) {
  test(`a copy of a cell ${isSeen ? 'that was seen' : 'nobody has seen'} shows the same`, async () => {
    const hub = hubWithBlob();
    const tab = await openUnseen(hub);
    if (isSeen) {
      await tab.room.bridge.showAllOutputs();
    }
    tab.shared.insertCell(2, { ...tab.shared.cells[0].toJSON(), id: 'copy' } as never);
    exchange(hub, tab);
    assert.equal(tab.room.notebook.executionId('copy'), 'e');
    await tab.room.bridge.showAllOutputs();
    assert.deepEqual(outputs(tab, 2), [SHOWN]);
  });
}

test('outputs of another notebook are of no execution here', async () => {
  const hub = hubWithBlob();
  const tab = await open(hub);
  const stranger = { output_type: 'stream', name: 'stdout', text: 'from elsewhere' };
  tab.shared.insertCell(2, {
    cell_type: 'code',
    id: 'new',
    source: '',
    outputs: [stranger]
  } as never);
  exchange(hub, tab);
  assert.equal(tab.room.notebook.executionId('new'), null);
});

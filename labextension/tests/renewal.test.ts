/** The runtime document is renewed under a standing connection: the room follows, and nothing vanishes meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonObject } from '../src/automerge.js';
import { Hub, settle } from './support/hub.js';
import { openTab } from './support/rooms.js';

const outputs = (text: string): JsonObject => ({
  o: { output_type: 'stream', name: 'stdout', text: [text], seq: 0 }
});

test('a renewed runtime document takes the place of the old one when it has arrived', async () => {
  const hub = new Hub([{ id: 'one', source: '1', executionId: 'e' }]);
  hub.execution('e', { cell_id: 'one', seq: 1, outputs: outputs('before') });
  const { room, shared, transport } = await openTab(hub);
  const shown = (): unknown => room.engine.runtime.execution('e')?.outputs.map(({ text }) => text);
  assert.deepEqual(shown(), [['before']]);

  hub.renewRuntime();
  transport.deliver();
  assert.deepEqual(shown(), [['before']], 'the new one has been announced and has not come');

  hub.execution('e', { cell_id: 'one', seq: 1, outputs: outputs('after') });
  settle(hub, transport);
  assert.deepEqual(shown(), [['after']]);
  assert.deepEqual(room.engine.runtime.replica.heads, hub.runtime.heads);

  hub.renewRuntime();
  hub.execution('e', { cell_id: 'one', seq: 1, outputs: outputs('once more') });
  settle(hub, transport);
  assert.deepEqual(shown(), [['once more']], 'as often as it likes');
  room.dispose();
  shared.dispose();
});

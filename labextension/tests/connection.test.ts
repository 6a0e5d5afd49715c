/** When a connection is given up, and when not. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { describe } from '../src/view/describe.js';
import { Hub, settle } from './support/hub.js';
import { exchange, ITab, openTab } from './support/rooms.js';
import { ManualTime } from './support/time.js';

let hub: Hub;
let tab: ITab;
let time: ManualTime;

beforeEach(async () => {
  hub = new Hub([{ id: 'one', source: '' }]);
  tab = await openTab(hub);
  time = new ManualTime();
});

afterEach(() => {
  time.restore();
  tab.room.dispose();
  tab.shared.dispose();
});

function type(character: string): void {
  const cell = tab.shared.cells[0];
  cell.updateSource(cell.source.length, cell.source.length, character);
}

/** Type once a second, so that the newest letter is always still on its way. */
function typeWithoutPause(seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    type('a');
    time.tick(500);
    hub.turn();
    hub.tellStatus();
    type('b');
    tab.transport.deliver();
    assert.equal(tab.room.engine.isConfirmed, false);
    time.tick(500);
  }
}

test('who types without a pause is not taken for disconnected, nor for unsafe', () => {
  typeWithoutPause(70);
  assert.equal(tab.transport.resets, 0);
  assert.equal(tab.shared.dirty, false);
  exchange(hub, tab);
  assert.equal(hub.source('one'), 'ab'.repeat(70));
});

test('what is typed is told of when it cannot be sent, or when that takes long', async () => {
  type('a');
  time.tick(500);
  assert.equal(describe(tab.room).text, 'Sending…');
  const told: string[] = [];
  tab.room.changed.connect(() => void told.push(describe(tab.room).text));
  time.tick(400);
  assert.deepEqual(told, [], 'it may arrive in a moment');
  time.tick(200);
  assert.deepEqual(told, ['Sending…']);
  await tab.transport.lose();
  told.length = 0;
  type('b');
  time.tick(30);
  assert.deepEqual(told, ['Offline, 2 changes not sent']);
});

test('a connection that confirms nothing is given up', () => {
  typeWithoutPause(30);
  type('c');
  time.tick(45_000);
  assert.equal(tab.transport.resets, 1);
  assert.equal(tab.room.connection, 'offline');
  assert.equal(tab.shared.dirty, true, 'something would be lost with the tab');
  hub.disconnect(tab.transport);
  hub.connect(tab.transport);
  settle(hub, tab.transport);
  assert.equal(tab.room.engine.isConfirmed, true);
  assert.equal(hub.source('one'), `${'ab'.repeat(30)}c`);
});

test('a page that woke up gives a silent connection up, and keeps one that answers', async () => {
  const answered = tab.room.checkConnection();
  hub.turn();
  const { id } = hub.requests[hub.requests.length - 1];
  tab.room.responseReceived({ id, ok: true, result: { value: null } });
  await answered;
  assert.equal(tab.transport.resets, 0);
  const silent = tab.room.checkConnection();
  time.tick(5_000);
  await silent;
  assert.equal(tab.transport.resets, 1);
});

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

/** Type, and let the page's turn end. */
async function type(character: string): Promise<void> {
  const cell = tab.shared.cells[0];
  cell.updateSource(cell.source.length, cell.source.length, character);
  await Promise.resolve();
}

/** Type once a second, so that the newest letter is always still on its way. */
async function typeWithoutPause(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await type('a');
    time.tick(500);
    hub.turn();
    hub.tellStatus();
    await type('b');
    tab.transport.deliver();
    assert.equal(tab.room.engine.isConfirmed, false);
    time.tick(500);
  }
}

test('what is typed is sent when the turn ends, and what follows fast together', async () => {
  const sent = (): number => tab.transport.toServer.splice(0).length;
  sent();
  time.tick(100);
  const typing = type('a');
  assert.equal(sent(), 0, 'not while the edit is still going on');
  await typing;
  assert.equal(sent(), 1, 'before any timer, and with it before the page is painted');
  await type('b');
  await type('c');
  assert.equal(sent(), 0);
  time.tick(25);
  assert.equal(sent(), 1);
  await type('d');
  tab.room.dispose();
  assert.equal(sent(), 1, 'who leaves sends the rest at once');
});

test('who types without a pause is not taken for disconnected, nor for unsafe', async () => {
  await typeWithoutPause(70);
  assert.equal(tab.transport.resets, 0);
  assert.equal(tab.shared.dirty, false);
  exchange(hub, tab);
  assert.equal(hub.source('one'), 'ab'.repeat(70));
});

test('what is typed is told of when it cannot be sent, or when that takes long', async () => {
  await type('a');
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
  await type('b');
  time.tick(30);
  assert.deepEqual(told, ['Offline, 2 changes not sent']);
});

test('a connection that confirms nothing is given up', async () => {
  await typeWithoutPause(30);
  await type('c');
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

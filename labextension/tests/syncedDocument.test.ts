/** One document over connections: level with the server, the engine's protocol has nothing to do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './support/engine.js';
import { ISyncState, Patch, Replica, ROOT } from '../src/automerge.js';
import { SyncedDocument } from '../src/syncedDocument.js';

/** Counts what the engine's sync protocol, which walks the whole history, is asked for. */
class CountingReplica extends Replica {
  walks = 0;

  override receive(state: ISyncState, message: Uint8Array): Patch[] | null {
    this.walks++;
    return super.receive(state, message);
  }

  override generate(state: ISyncState): Uint8Array | null {
    this.walks++;
    return super.generate(state);
  }
}

/** A client, a server that speaks the engine's own protocol, and what is on the way between them. */
class Pair {
  readonly client = new CountingReplica();
  readonly server = new Replica();
  toServer: Uint8Array[] = [];
  toClient: Uint8Array[] = [];
  private _document = new SyncedDocument(this.client);
  private _state = this.server.newSyncState();

  constructor(text: string) {
    this.server.makeText(ROOT, 'text', text);
    this.speak();
  }

  /** Type at a place that is there on either side. */
  type(replica: Replica, character: string, place: number): void {
    const text = replica.object(ROOT, 'text', 'text');
    if (text !== null) {
      replica.splice(text, Math.min(place, replica.length(text)), 0, character);
    }
  }

  read(replica: Replica): string {
    return replica.string(ROOT, 'text') ?? '';
  }

  /** Both say what there is to say. */
  speak(): void {
    for (let message = this._document.outgoing(); message; message = this._document.outgoing()) {
      this.toServer.push(message);
    }
    for (;;) {
      const message = this.server.generate(this._state);
      if (message === null) {
        return;
      }
      this.toClient.push(message);
    }
  }

  /** Hand over the oldest messages, so many; then both speak. */
  move(toServer: number, toClient: number): void {
    for (const message of this.toServer.splice(0, toServer)) {
      this.server.receive(this._state, message);
    }
    for (const message of this.toClient.splice(0, toClient)) {
      this._document.receive(message);
    }
    this.speak();
  }

  settle(): void {
    while (this.toServer.length + this.toClient.length > 0) {
      this.move(Infinity, Infinity);
    }
  }

  /** Lose the connection with all that is on it, and make another. */
  lose(): void {
    [this.toServer, this.toClient] = [[], []];
    this._document = new SyncedDocument(this.client);
    this._state = this.server.newSyncState();
    this.speak();
  }

  get told(): readonly string[] | null {
    return this._document.told;
  }

  free(): void {
    this.client.free();
    this.server.free();
  }
}

test('who is level with the server takes changes in, and sends them, without the engine’s protocol', () => {
  const pair = new Pair('a long history');
  pair.type(pair.client, 'x', 0);
  pair.settle();
  pair.type(pair.client, 'x', 0);
  pair.settle();
  const before = pair.client.walks;
  for (let key = 0; key < 50; key++) {
    pair.type(pair.server, 's', 0);
    pair.type(pair.client, 'c', 0);
    pair.speak(); // what both typed crosses on the way
    pair.settle();
    assert.deepEqual(pair.told, pair.client.heads);
  }
  assert.equal(pair.client.walks, before);
  assert.equal(pair.read(pair.client), pair.read(pair.server));
  assert.equal(pair.read(pair.server).length, 'a long history'.length + 101);
  pair.free();
});

for (let seed = 1; seed <= 40; seed++) {
  test(`delays and losses of any kind end where they should, seed ${seed}`, () => {
    let state = seed;
    const dice = (sides: number): number => {
      state = (state * 48271) % 2147483647;
      return state % sides;
    };
    const pair = new Pair('text');
    const typed: string[] = [];
    for (let step = 0; step < 120; step++) {
      const character = String.fromCharCode(0x4e00 + step);
      switch (dice(6)) {
        case 0:
        case 1: {
          const replica = dice(2) === 0 ? pair.client : pair.server;
          if (replica.object(ROOT, 'text', 'text') !== null) {
            pair.type(replica, character, dice(8));
            typed.push(character);
          }
          break;
        }
        case 2:
          pair.speak();
          break;
        case 3:
          if (dice(5) === 0) {
            pair.lose();
          }
          break;
        default:
          pair.move(dice(3), dice(3));
      }
    }
    pair.settle();
    pair.type(pair.client, '!', 0);
    pair.speak();
    pair.settle();
    assert.equal(pair.read(pair.client), pair.read(pair.server));
    const wanted = [...'text', '!', ...typed].sort();
    assert.deepEqual([...pair.read(pair.server)].sort(), wanted);
    pair.free();
  });
}

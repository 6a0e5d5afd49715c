/** How often a connection is tried. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { WebSocketTransport } from '../src/transport.js';
import { ManualTime } from './support/time.js';

/** The part of a WebSocket that a transport uses; the test is its server. */
class Socket {
  static readonly OPEN = 1;
  readyState = 0;
  onopen: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  accept(): void {
    this.readyState = Socket.OPEN;
    this.onopen?.();
  }

  end(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code, reason: '' });
  }

  close(): void {
    this.readyState = 3;
  }
}

let time: ManualTime;
let sockets: Socket[];
let transport: WebSocketTransport;
let page: EventTarget;

beforeEach(() => {
  time = new ManualTime();
  sockets = [];
  page = new EventTarget();
  (globalThis as { WebSocket?: unknown }).WebSocket = Socket;
  transport = new WebSocketTransport(() => {
    sockets.push(new Socket());
    return sockets[sockets.length - 1] as unknown as WebSocket;
  }, page);
  transport.start({ opened: () => undefined, received: () => undefined, closed: () => true });
});

afterEach(() => {
  transport.dispose();
  time.restore();
});

/** Let the connection end in one of two ways so many times; how many tries there were within a minute. */
async function triesInAMinute(isAccepted: boolean): Promise<number> {
  for (let elapsed = 0; elapsed < 60_000; elapsed += 50) {
    const socket = sockets[sockets.length - 1];
    if (socket.readyState === 0) {
      if (isAccepted) {
        socket.accept();
      }
      socket.end(isAccepted ? 4410 : 1006);
    }
    await Promise.resolve();
    await Promise.resolve();
    time.tick(50);
  }
  return sockets.length;
}

test('a server that is away is tried less and less often', async () => {
  assert.ok((await triesInAMinute(false)) <= 20);
});

test('a server that sends us away as soon as we are there is, too', async () => {
  assert.ok((await triesInAMinute(true)) <= 20);
});

test('after a connection that stood the next is tried soon, and one that woke up tries at once', async () => {
  await triesInAMinute(false);
  const before = sockets.length;
  page.dispatchEvent(new Event('online'));
  assert.equal(sockets.length, before + 1);
  sockets[before].accept();
  time.tick(6_000);
  sockets[before].end(1006);
  await Promise.resolve();
  await Promise.resolve();
  time.tick(400);
  assert.equal(sockets.length, before + 2);
});

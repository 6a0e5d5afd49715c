/** The engine on what a real server said: `tests/support/recorded_frames.py` records it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import './support/engine.js';
import { JsonObject, Patch, Replica } from '../src/automerge.js';
import { encodeFrame, FrameType } from '../src/frames.js';
import { SyncEngine } from '../src/syncEngine.js';
import { messageOf } from './support/documents.js';
import { openDocument } from '../src/documentChunk.js';
import { readSyncMessage } from '../src/syncMessage.js';

interface IStep {
  readonly step: string;
  readonly frames: readonly string[];
  readonly heads: readonly string[];
  readonly cells: readonly { id: string; source: string; type: string; metadata: JsonObject }[];
  readonly executions: { readonly [id: string]: readonly [string, number] };
}

// Compiled tests lie in lib/testing/tests.
const fixture = new URL('../../../tests/fixtures/session.json', import.meta.url);
const session = JSON.parse(readFileSync(fixture, 'utf8')) as IStep[];
const framesOf = ({ frames }: IStep): Uint8Array[] =>
  frames.map(frame => new Uint8Array(Buffer.from(frame, 'base64')));

/** An engine, and what it was heard saying. */
function listen(): { engine: SyncEngine; patches: (Patch[] | null)[]; sent: Uint8Array[] } {
  const patches: (Patch[] | null)[] = [];
  const sent: Uint8Array[] = [];
  const engine = new SyncEngine({
    notebookChanged: news => void patches.push(news),
    runtimeChanged: () => undefined,
    statusChanged: () => undefined,
    peersChanged: () => undefined,
    responseReceived: () => undefined,
    eventReceived: () => undefined,
    confirmationChanged: () => undefined
  });
  engine.connected(frame => sent.push(frame));
  return { engine, patches, sent };
}

function check(engine: SyncEngine, { step, heads, cells, executions }: IStep): void {
  const { notebook, runtime } = engine;
  assert.deepEqual([...engine.heads].sort(), [...heads].sort(), step);
  const shown = notebook.order.map(id => ({
    id,
    source: notebook.source(id),
    type: notebook.cellType(id),
    metadata: notebook.cellMetadata(id)
  }));
  assert.deepEqual(shown, cells, step);
  for (const [id, [status, outputs]] of Object.entries(executions)) {
    const execution = runtime.execution(id);
    assert.deepEqual([execution?.status, execution?.outputs.length], [status, outputs], step);
  }
  assert.ok(engine.isConfirmed, step);
  assert.equal(engine.unconfirmed, 0, step);
}

test('the engine shows at each step what the server has', () => {
  const { engine, patches } = listen();
  for (const step of session) {
    framesOf(step).forEach(frame => engine.receive(frame));
    check(engine, step);
  }
  assert.equal(patches[0], null, 'at first all of it is new');
  assert.ok(patches.length > 1 && !patches.slice(1).includes(null), 'and after that it is told');
  assert.equal(engine.status?.dirty, false);
  assert.deepEqual(engine.status?.savedHeads, session[session.length - 1].heads);
  engine.dispose();
});

for (const isRuntimeFirst of [true, false]) {
  test(`one document may come ${isRuntimeFirst ? 'before' : 'after'} the other`, () => {
    const { engine } = listen();
    for (const step of session) {
      const frames = framesOf(step);
      const runtime = frames.filter(([type]) => type === (FrameType.RuntimeSync as number));
      const rest = frames.filter(([type]) => type !== (FrameType.RuntimeSync as number));
      const ordered = isRuntimeFirst ? [...runtime, ...rest] : [...rest, ...runtime];
      ordered.forEach(frame => engine.receive(frame));
      check(engine, step);
    }
    engine.dispose();
  });
}

test('nothing is sent before the server has spoken, and nothing of what it has sent', () => {
  const { engine, sent } = listen();
  const said = (): number[] => sent.splice(0).map(([type]) => type);
  engine.flush();
  assert.deepEqual(said(), []);
  const [first, ...later] = session;
  framesOf(first).forEach(frame => engine.receive(frame));
  const hello = said();
  assert.ok(hello.includes(FrameType.NotebookSync) && hello.includes(FrameType.RuntimeSync));
  for (const step of later) {
    const before = engine.heads.join();
    framesOf(step).forEach(frame => engine.receive(frame));
    engine.flush();
    assert.ok(engine.notebook.replica.isInEngine || engine.heads.join() === before);
  }
  assert.deepEqual(said(), []);
  const { replica, order } = engine.notebook;
  replica.splice(engine.notebook.text(order[0]) as string, 0, 0, 'new ');
  engine.flush();
  assert.deepEqual(said(), [FrameType.NotebookSync]);
  engine.flush();
  assert.deepEqual(said(), [], 'once is enough');
  engine.dispose();
});

test('a connection that breaks anywhere is begun anew, and ends where it should', () => {
  const all = session.flatMap(framesOf);
  const last = session[session.length - 1];
  for (let broken = 0; broken < all.length; broken++) {
    const { engine } = listen();
    all.slice(0, broken).forEach(frame => engine.receive(frame));
    engine.disconnected();
    assert.equal(engine.post(FrameType.Request, {}), false);
    engine.connected(() => undefined);
    all.forEach(frame => engine.receive(frame)); // the server says all of it again
    check(engine, last);
    engine.dispose();
  }
});

test('the first message that brings cells brings them as a document, which needs no engine until it changes', () => {
  const messages = framesOf(session[0]).filter(([type]) => type === FrameType.NotebookSync);
  const whole = messages
    .map(frame => frame.subarray(1))
    .find(payload => readSyncMessage(payload).changes.length > 0) as Uint8Array;
  const [chunk] = readSyncMessage(whole).changes;
  assert.ok(openDocument(chunk));
  for (const length of [1, 2, 40, whole.length - 2]) {
    assert.throws(() => readSyncMessage(whole.subarray(0, length)), RangeError);
  }

  const { engine, patches, sent } = listen();
  framesOf(session[0]).forEach(frame => engine.receive(frame));
  check(engine, session[0]);
  const { replica, order } = engine.notebook;
  assert.equal(replica.isInEngine, false);
  const said = sent.length;
  const before = engine.notebook.source(order[0]);
  replica.splice(engine.notebook.text(order[0]) as string, 0, 0, 'new ');
  engine.flush();
  assert.ok(replica.isInEngine && sent.length > said);
  assert.equal(engine.notebook.source(order[0]), `new ${before}`);
  assert.deepEqual([engine.unconfirmed, patches], [1, [null]]);
  engine.dispose();
});

test('a larger part of a notebook takes the place of a smaller one', () => {
  const { engine, patches } = listen();
  const small = new Replica();
  small.put('_root', 'cells', { a: { source: 'x' } });
  const first = messageOf(small);
  small.put('_root', 'metadata', { k: 1 });
  const second = messageOf(small);
  for (const payload of [first, second]) {
    engine.receive(encodeFrame(FrameType.NotebookSync, payload));
  }
  assert.deepEqual([patches, engine.notebook.metadata], [[null, null], { k: 1 }]);
  assert.equal(engine.notebook.replica.isInEngine, false);
  assert.ok(engine.isConfirmed);
  engine.dispose();
});

test('what the server says of a later protocol is skipped, and what makes no sense is refused', () => {
  const { engine } = listen();
  framesOf(session[0]).forEach(frame => engine.receive(frame));
  engine.receive(new Uint8Array([0x42, 1, 2, 3]));
  check(engine, session[0]);
  assert.throws(() => engine.receive(new Uint8Array([FrameType.NotebookSync, 1, 2, 3])));
  assert.throws(() => engine.receive(new Uint8Array([FrameType.Status, 0x7b])));
  check(engine, session[0]);
  engine.dispose();
});

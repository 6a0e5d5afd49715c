/** Documents read without the engine say what the engine says, under the same names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './support/engine.js';
import { Json, ObjectId, Replica, ROOT } from '../src/automerge.js';
import { messageOf } from './support/documents.js';

/** The same numbers each time. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return sides => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % sides;
  };
}

const VALUES: Json[] = [
  null,
  true,
  false,
  0,
  -1,
  127,
  -129,
  2 ** 40,
  -(2 ** 45),
  1.5,
  '',
  'a',
  'hé😀',
  'x'.repeat(400),
  [],
  {},
  [1, ['two', { three: 3 }], null],
  { b: { c: [true] }, a: 'z' }
];
const WORDS = ['x', 'hello ', '😀', 'é', 'line\n', 'a'.repeat(300)];

function edit(replica: Replica, roll: (sides: number) => number): void {
  const key = `k${roll(6)}`;
  switch (roll(4)) {
    case 0:
      replica.put(ROOT, key, VALUES[roll(VALUES.length)]);
      break;
    case 1:
      replica.makeText(ROOT, key, WORDS[roll(WORDS.length)]);
      break;
    case 2:
      replica.delete(ROOT, key);
      break;
    default: {
      const text = replica.object(ROOT, key, 'text');
      if (text !== null) {
        const length =
          [...replica.text(text)].length === replica.text(text).length ? replica.length(text) : 0;
        const at = roll(length + 1);
        replica.splice(text, at, roll(length - at + 1), WORDS[roll(WORDS.length)]);
      }
    }
  }
  if (roll(3) === 0) {
    replica.commit();
  }
}

/** Let both have everything. */
function sync(a: Replica, b: Replica): void {
  const [ofA, ofB] = [a.newSyncState(), b.newSyncState()];
  for (let isQuiet = false; !isQuiet;) {
    const [fromA, fromB] = [a.generate(ofA), b.generate(ofB)];
    isQuiet = fromA === null && fromB === null;
    if (fromA !== null) {
      b.receive(ofB, fromA);
    }
    if (fromB !== null) {
      a.receive(ofA, fromB);
    }
  }
}

/** Every object with its name. */
function names(replica: Replica, parent: ObjectId = ROOT, path = ''): [string, ObjectId][] {
  return replica.keys(parent).flatMap((key): [string, ObjectId][] => {
    const kind = (['map', 'list', 'text'] as const).find(kind => replica.object(parent, key, kind));
    const object = kind && replica.object(parent, key, kind);
    return object
      ? [
          [`${path}/${key}`, object],
          ...(kind === 'map' ? names(replica, object, `${path}/${key}`) : [])
        ]
      : [];
  });
}

test('whatever two people made of a document', () => {
  for (let seed = 1; seed <= 80; seed++) {
    const roll = dice(seed);
    const [a, b] = [new Replica(), new Replica()];
    for (let round = 0; round < 1 + (seed % 4); round++) {
      for (let count = roll(1 + (seed % 20)); count >= 0; count--) {
        edit(a, roll);
        edit(b, roll);
      }
      sync(a, b);
    }
    a.commit();
    const whole = new Replica();
    whole.receive(whole.newSyncState(), messageOf(a));
    assert.equal(whole.isInEngine, false);
    assert.deepEqual(whole.map(ROOT), a.map(ROOT), `seed ${seed}`);
    assert.deepEqual(names(whole), names(a), `seed ${seed}`);
    assert.deepEqual(whole.heads.sort(), a.heads.sort());
    whole.put(ROOT, 'mine', 1); // now the engine has it
    assert.ok(whole.isInEngine);
    a.put(ROOT, 'mine', 1);
    assert.deepEqual(whole.map(ROOT), a.map(ROOT), `seed ${seed}`);
    [a, b, whole].forEach(replica => replica.free());
  }
});

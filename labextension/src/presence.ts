/** People of a room as awareness states, the form in which jupyter-collaboration's widgets know people. */
import type { IAwareness } from '@jupyter/ydoc';
import { JSONExt } from '@lumino/coreutils';
import { JsonObject } from './automerge.js';
import { sameJson } from './notebookDocument.js';
import { IUser } from './status.js';

const COLORS = ['#e8710a', '#129eaf', '#9334e6', '#1a73e8', '#e52592', '#188038', '#b06000'];

/** What an awareness holds of others; the published interface only has our own state. */
interface IAwarenessStates {
  readonly clientID: number;
  readonly states: Map<number, object>;
  readonly meta: Map<number, { clock: number; lastUpdated: number }>;
  emit(name: 'change' | 'update', args: unknown[]): void;
}

/** A number for a peer, the same in every tab. */
export function clientIdOf(peerId: string): number {
  let hash = 0;
  for (const character of peerId) {
    hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) >>> 0;
  }
  return hash;
}

export function awarenessUser(user: IUser): JsonObject {
  const words = user.name.split(/\s+/).filter(word => word.length > 0);
  return {
    username: user.username,
    name: user.name,
    display_name: user.name,
    initials: words
      .slice(0, 2)
      .map(word => [...word][0].toUpperCase())
      .join(''),
    color: user.color ?? COLORS[clientIdOf(user.username) % COLORS.length],
    avatar_url: user.avatarUrl ?? ''
  };
}

/** Make these the states of everybody else, and tell of it. */
export function setAwareness(
  awareness: IAwareness,
  wanted: ReadonlyMap<number, JsonObject>,
  origin: unknown
): void {
  const target = awareness as unknown as IAwarenessStates;
  const added: number[] = [];
  const updated: number[] = [];
  const removed: number[] = [];
  for (const id of [...target.states.keys()]) {
    if (id !== target.clientID && !wanted.has(id)) {
      target.states.delete(id);
      target.meta.delete(id);
      removed.push(id);
    }
  }
  for (const [id, state] of wanted) {
    const before = target.states.get(id);
    // Entries that are not renewed are forgotten after half a minute: the room says who left, not a clock.
    target.meta.set(id, { clock: 1, lastUpdated: Number.MAX_SAFE_INTEGER });
    if (before === undefined) {
      added.push(id);
    } else if (!sameJson(before, state)) {
      updated.push(id);
    } else {
      continue;
    }
    target.states.set(id, JSONExt.deepCopy(state));
  }
  if (added.length + updated.length + removed.length > 0) {
    const change = { added, updated, removed };
    target.emit('change', [change, origin]);
    target.emit('update', [change, origin]);
  }
}

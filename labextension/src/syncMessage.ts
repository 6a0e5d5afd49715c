/** Reading and writing sync messages without the engine, as far as that is needed. Mirrors `core/crdt/sync_message.py`. */
import { ByteReader, fromHex, joined, uleb } from './bytes.js';

/** A message whose changes are chunks of any kind, whole documents among them. */
const WITH_CHUNKS = 0x43;
const PLAIN = 0x42;
/** Both kinds of messages are read here. */
const CAPABILITIES = [1, 2];

export interface ISyncMessage {
  /** In hex. */
  readonly heads: readonly string[];
  /** Whether it asks for certain changes. */
  readonly needs: boolean;
  /** Fields with changes, each one or more chunks. */
  readonly changes: readonly Uint8Array[];
  /** Whether the changes may be whole documents. */
  readonly hasChunks: boolean;
  /** The same message without its changes. */
  readonly header: Uint8Array;
}

/**
 * @throws RangeError when the message ends too early
 */
export function readSyncMessage(message: Uint8Array): ISyncMessage {
  const reader = new ByteReader(message, 1);
  const heads = reader.hashes();
  const needs = reader.hashes().length > 0;
  for (let have = reader.uleb(); have > 0; have--) {
    reader.hashes();
    reader.prefixed();
  }
  const header = new Uint8Array(reader.at + 1); // it ends with a zero: no changes
  header.set(message.subarray(0, reader.at));
  const changes = Array.from({ length: reader.uleb() }, () => reader.prefixed());
  return { heads, needs, changes, hasChunks: message[0] === WITH_CHUNKS, header };
}

/** A message that says: I have everything up to these heads, and need nothing. */
export function acknowledgement(heads: readonly string[]): Uint8Array {
  const capabilities = Uint8Array.from([CAPABILITIES.length, ...CAPABILITIES]);
  return joined([writeChanges(heads, heads, []), capabilities]);
}

/**
 * A message with changes for somebody who has all that they depend on.
 *
 * @param heads what is here
 * @param level up to where everything is known to be there
 */
export function writeChanges(
  heads: readonly string[],
  level: readonly string[],
  changes: readonly Uint8Array[]
): Uint8Array {
  const [nothing, one] = [uleb(0), uleb(1)];
  const have = [one, ...hashes(level), nothing];
  const chunks = changes.flatMap(change => [uleb(change.length), change]);
  const kind = Uint8Array.of(PLAIN);
  return joined([kind, ...hashes(heads), nothing, ...have, uleb(changes.length), ...chunks]);
}

function hashes(heads: readonly string[]): Uint8Array[] {
  return [uleb(heads.length), ...[...heads].sort().map(fromHex)];
}

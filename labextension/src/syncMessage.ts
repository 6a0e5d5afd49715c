/** Reading sync messages as far as is needed to find the document they bring. Mirrors `core/crdt/sync_message.py`. */
import { ByteReader, fromHex } from './bytes.js';

/** A message whose changes are chunks of any kind, whole documents among them. */
const WITH_CHUNKS = 0x43;
const PLAIN = 0x42;
/** Both kinds of messages are read here. */
const CAPABILITIES = [1, 2];

export interface ISyncMessage {
  /** In hex. */
  readonly heads: readonly string[];
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
  reader.hashes(); // need
  for (let have = reader.uleb(); have > 0; have--) {
    reader.hashes();
    reader.prefixed();
  }
  const header = new Uint8Array(reader.at + 1); // it ends with a zero: no changes
  header.set(message.subarray(0, reader.at));
  const changes = Array.from({ length: reader.uleb() }, () => reader.prefixed());
  return { heads, changes, hasChunks: message[0] === WITH_CHUNKS, header };
}

/** A message that says: I have everything up to these heads, and need nothing. */
export function acknowledgement(heads: readonly string[]): Uint8Array {
  const hashes = [heads.length, ...[...heads].sort().flatMap(head => [...fromHex(head)])];
  const have = [1, ...hashes, 0];
  return Uint8Array.from([PLAIN, ...hashes, 0, ...have, 0, CAPABILITIES.length, ...CAPABILITIES]);
}

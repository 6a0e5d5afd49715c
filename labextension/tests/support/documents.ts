/** Whole documents, as a server sends them. */
import { Replica } from '../../src/automerge.js';
import { fromHex, uleb } from '../../src/bytes.js';

/** The sync message that brings all of a replica's document. */
export function messageOf(replica: Replica): Uint8Array {
  const heads = replica.heads.sort();
  const hashes = [heads.length, ...heads.flatMap(head => [...fromHex(head)])];
  const chunk = replica.save();
  return Uint8Array.from([0x43, ...hashes, 0, 1, ...hashes, 0, 1, ...uleb(chunk.length), ...chunk]);
}

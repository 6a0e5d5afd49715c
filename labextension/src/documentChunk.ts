/** A document chunk taken apart. Mirrors `core/crdt/document_chunk.py`; whether it is sound, the engine finds out. */
import { inflateSync } from 'fflate';
import { ByteReader, hex } from './bytes.js';

const MAGIC = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES = 4;
const DOCUMENT = 0;
const DEFLATED = 0x08;

export interface IDocumentChunk {
  /** In hex. */
  readonly actors: readonly string[];
  readonly heads: readonly string[];
  /** The operations' columns by their specification. */
  readonly operations: ReadonlyMap<number, Uint8Array>;
}

/**
 * Take a whole document apart.
 *
 * @returns null for anything else: a change, or changes behind a document
 * @throws RangeError, or what inflating throws, when it is broken
 */
export function openDocument(data: Uint8Array): IDocumentChunk | null {
  const isDocument =
    MAGIC.every((byte, index) => data[index] === byte) &&
    data[MAGIC.length + CHECKSUM_BYTES] === DOCUMENT;
  if (!isDocument) {
    return null;
  }
  const chunk = new ByteReader(data, MAGIC.length + CHECKSUM_BYTES + 1);
  const body = new ByteReader(chunk.prefixed());
  if (!chunk.atEnd) {
    return null;
  }
  const actors = Array.from({ length: body.uleb() }, () => hex(body.prefixed()));
  const heads = body.hashes();
  const changes = table(body);
  const operations = table(body);
  for (const { size } of changes) {
    body.bytes(size);
  }
  const columns = operations.map(({ spec, size }): [number, Uint8Array] => {
    const data = body.bytes(size);
    return [spec & ~DEFLATED, spec & DEFLATED ? inflateSync(data) : data];
  });
  return { actors, heads, operations: new Map(columns) };
}

function table(body: ByteReader): { spec: number; size: number }[] {
  return Array.from({ length: body.uleb() }, () => ({ spec: body.uleb(), size: body.uleb() }));
}

/** Reading a sync message as far as is needed to find the document it brings. Mirrors `core/crdt/sync_message.py`. */

/** A message whose changes are chunks of any kind, whole documents among them. */
const WITH_CHUNKS = 0x43;

/**
 * The chunks that a message brings, if it is of the kind that may bring a whole document.
 *
 * @throws RangeError when the message ends too early
 */
export function documentChunks(message: Uint8Array): Uint8Array[] {
  if (message[0] !== WITH_CHUNKS) {
    return [];
  }
  const reader = new Reader(message);
  reader.hashes(); // heads
  reader.hashes(); // need
  for (let have = reader.number(); have > 0; have--) {
    reader.hashes();
    reader.bytes(reader.number());
  }
  return Array.from({ length: reader.number() }, () => reader.bytes(reader.number()));
}

class Reader {
  constructor(private readonly _data: Uint8Array) {}

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const [byte] = this.bytes(1);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        return value;
      }
    }
  }

  hashes(): void {
    this.bytes(32 * this.number());
  }

  bytes(length: number): Uint8Array {
    const end = this._at + length;
    if (end > this._data.length) {
      throw new RangeError('a sync message ends too early');
    }
    const bytes = this._data.subarray(this._at, end);
    this._at = end;
    return bytes;
  }

  private _at = 1;
}

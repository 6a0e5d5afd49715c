/** Automerge's numbers, strings and hashes in bytes. Reading mirrors `core/crdt/column_reader.py`. */

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Reads one thing after the other; throws a RangeError when the data ends before it. */
export class ByteReader {
  constructor(
    private readonly _data: Uint8Array,
    private _at = 0
  ) {}

  /** Where it is. */
  get at(): number {
    return this._at;
  }

  get atEnd(): boolean {
    return this._at >= this._data.length;
  }

  /** An unsigned LEB128 number; exact up to 2^53. */
  uleb(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this._byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        return value;
      }
    }
  }

  /** A signed one. */
  sleb(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this._byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        return byte & 0x40 ? value - factor * 128 : value;
      }
    }
  }

  bytes(length: number): Uint8Array {
    const end = this._at + length;
    if (end > this._data.length) {
      throw new RangeError('the data ends too early');
    }
    const bytes = this._data.subarray(this._at, end);
    this._at = end;
    return bytes;
  }

  /** A length, and so many bytes. */
  prefixed(): Uint8Array {
    return this.bytes(this.uleb());
  }

  /** A number, and so many hashes, in hex. */
  hashes(): string[] {
    return Array.from({ length: this.uleb() }, () => hex(this.bytes(32)));
  }

  private _byte(): number {
    if (this._at >= this._data.length) {
      throw new RangeError('the data ends too early');
    }
    return this._data[this._at++];
  }
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    parseInt(text.slice(2 * index, 2 * index + 2), 16)
  );
}

/** An unsigned LEB128 number. */
export function uleb(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) {
    bytes.push((value % 128) | 0x80);
  }
  return Uint8Array.from([...bytes, value]);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

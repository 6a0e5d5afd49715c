/** The columns of a document chunk, walked run by run. Mirrors `core/crdt/document_reader.py`. */
import { ByteReader, decodeText } from './bytes.js';

/** A value and how many rows have it. */
export type Run<T> = readonly [T, number];

/** What a column gives when it has ended, or has none of its own. */
const ENDLESS = Number.MAX_SAFE_INTEGER;

export class Column<T> {
  constructor(private readonly _runs: Iterator<Run<T | null>>) {}

  value: T | null = null;
  /** How many of the next rows have `value`; see `fill`. */
  left = 0;

  /** Look at the next run; its length. */
  fill(): number {
    if (this.left === 0) {
      const next = this._runs.next();
      [this.value, this.left] = next.done ? [null, ENDLESS] : next.value;
    }
    return this.left;
  }

  get hasEnded(): boolean {
    return this.fill() > ENDLESS / 2;
  }

  /** The value of the next row. */
  next(): T | null {
    this.fill();
    this.left--;
    return this.value;
  }

  /** Pass over rows, telling of each run. */
  pass(rows: number, each?: (value: T | null, rows: number) => void): void {
    while (rows > 0) {
      const step = Math.min(rows, this.fill());
      each?.(this.value, step);
      this.left -= step;
      rows -= step;
    }
  }

  /** Whether the next rows are one run of this value. */
  areAll(value: T, rows: number): boolean {
    return this.fill() >= rows && this.value === value;
  }
}

export function numbers(data: Uint8Array): Column<number> {
  return new Column(runs(data, reader => reader.uleb()));
}

export function differences(data: Uint8Array): Column<number> {
  return new Column(runs(data, reader => reader.sleb()));
}

export function strings(data: Uint8Array): Column<string> {
  return new Column(runs(data, reader => decodeText(reader.prefixed())));
}

export function booleans(data: Uint8Array): Column<boolean> {
  return new Column(alternating(data));
}

function* runs<T>(data: Uint8Array, read: (reader: ByteReader) => T): Iterator<Run<T | null>> {
  const reader = new ByteReader(data);
  while (!reader.atEnd) {
    const rows = reader.sleb();
    if (rows > 0) {
      yield [read(reader), rows];
    } else if (rows < 0) {
      for (let index = rows; index < 0; index++) {
        yield [read(reader), 1];
      }
    } else {
      yield [null, reader.uleb()];
    }
  }
}

function* alternating(data: Uint8Array): Iterator<Run<boolean>> {
  const reader = new ByteReader(data);
  for (let value = false; !reader.atEnd; value = !value) {
    const rows = reader.uleb();
    if (rows > 0) {
      yield [value, rows];
    }
  }
}

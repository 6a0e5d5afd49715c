/**
 * A whole document read without the engine: what it says now, under the names the engine gives to objects.
 *
 * The engine takes about a microsecond for each operation of the history, and a hundred bytes to keep it; a text here
 * is a run of bytes that is decoded when somebody asks for it. So a notebook shows before the engine has it, and one
 * that is only read never needs it.
 *
 * A document chunk has one row for each operation that is still of use: sorted by object, then by key or place, then by
 * operation, with the number of operations that have overwritten it (its successors). What can be seen is, for each key
 * and place, the last row without successors. Mirrors `core/crdt/document_reader.py`.
 */
import { decodeText, ByteReader } from './bytes.js';
import { booleans, Column, differences, numbers, strings } from './columns.js';
import { IDocumentChunk } from './documentChunk.js';

/** As the engine's handle gives it: the kind of a value, and the value, or an object's name. */
export type Typed = [string, unknown];

const MAKE_MAP = 0;
const SET = 1;
const MAKE_LIST = 2;
const MAKE_TEXT = 4;
const CONTAINERS = new Map([
  [MAKE_MAP, 'map'],
  [MAKE_LIST, 'list'],
  [MAKE_TEXT, 'text']
]);

const VALUE_TYPES = ['null', 'boolean', 'boolean', 'uint', 'int', 'f64', 'str'];
const TRUE = 2;
const STR = 6;

const ROOT = '_root';
const EMPTY = new Uint8Array();

interface IRow {
  readonly id: string;
  readonly key: string | null;
  readonly isInserted: boolean;
  readonly isOverwritten: boolean;
  readonly value: Typed;
}

export class PlainDocument {
  constructor({ actors, heads, operations }: IDocumentChunk) {
    this.heads = heads;
    new Rows(actors, operations).read(this._maps, this._lists, this._texts);
  }

  readonly heads: readonly string[];

  getWithType(object: string, key: string | number): Typed | null {
    const value =
      typeof key === 'number' ? this._lists.get(object)?.[key] : this._maps.get(object)?.get(key);
    return value ?? null;
  }

  keys(object: string): string[] {
    return [...(this._maps.get(object)?.keys() ?? [])];
  }

  length(object: string): number {
    return this._lists.get(object)?.length ?? this.text(object).length;
  }

  text(object: string): string {
    const text = this._texts.get(object) ?? '';
    return typeof text === 'string' ? text : decodeText(text);
  }

  private readonly _maps = new Map<string, Map<string, Typed>>();
  private readonly _lists = new Map<string, Typed[]>();
  private readonly _texts = new Map<string, string | Uint8Array>();
}

/** The operation rows of a document chunk. */
class Rows {
  constructor(
    private readonly _actors: readonly string[],
    columns: ReadonlyMap<number, Uint8Array>
  ) {
    const of = (spec: number): Uint8Array => columns.get(spec) ?? EMPTY;
    this._objectActor = numbers(of(0x01));
    this._objectCounter = numbers(of(0x02));
    this._key = strings(of(0x15));
    this._idActor = numbers(of(0x21));
    this._idCounter = differences(of(0x23));
    this._insert = booleans(of(0x34));
    this._action = numbers(of(0x42));
    this._meta = numbers(of(0x56));
    this._raw = new ByteReader(of(0x57));
    this._successors = numbers(of(0x80));
  }

  read(
    maps: Map<string, Map<string, Typed>>,
    lists: Map<string, Typed[]>,
    texts: Map<string, string | Uint8Array>
  ): void {
    this._kinds.set(ROOT, 'map');
    while (!this._action.hasEnded) {
      const [object, rows] = this._object();
      switch (this._kinds.get(object)) {
        case 'map':
          maps.set(object, this._readMap(rows, maps.get(object)));
          break;
        case 'list':
          lists.set(object, this._readElements(rows));
          break;
        case 'text':
          texts.set(object, this._readText(rows));
          break;
        default: // of an object that was overwritten or deleted
          this._skip(rows);
      }
    }
    for (const [object, kind] of this._kinds) {
      if (kind === 'map' && !maps.has(object)) {
        maps.set(object, new Map());
      } else if (kind === 'list' && !lists.has(object)) {
        lists.set(object, []);
      }
    }
  }

  /** The next object, and how many rows it has. */
  private _object(): [string, number] {
    const [counter, actor] = [this._objectCounter, this._objectActor];
    const rows = counter.hasEnded ? this._action.fill() : Math.min(counter.fill(), actor.fill());
    const object = counter.value === null ? ROOT : this._name(counter.value, actor.value);
    counter.pass(rows);
    actor.pass(rows);
    return [object, rows];
  }

  /** The root's rows may come in several parts. */
  private _readMap(rows: number, map = new Map<string, Typed>()): Map<string, Typed> {
    this._each(rows, ({ key, value, id, isOverwritten }) => {
      if (key !== null && !isOverwritten) {
        map.set(key, this._placed(value, id));
      }
    });
    return map;
  }

  private _readElements(rows: number): Typed[] {
    const places: (Typed | null)[] = [];
    this._each(rows, ({ value, id, isInserted, isOverwritten }) => {
      if (isInserted) {
        places.push(null);
      }
      if (!isOverwritten) {
        places[places.length - 1] = this._placed(value, id);
      }
    });
    return places.filter(place => place !== null);
  }

  private _readText(rows: number): string | Uint8Array {
    const isPlain =
      this._insert.areAll(true, rows) &&
      this._action.areAll(SET, rows) &&
      this._successors.areAll(0, rows);
    if (!isPlain) {
      return this._readElements(rows)
        .map(([kind, value]) => {
          if (kind !== 'str') {
            throw new RangeError('a text with something else than characters in it');
          }
          return String(value);
        })
        .join('');
    }
    let size = 0;
    this._meta.pass(rows, (meta, times) => {
      if (((meta ?? 0) & 15) !== STR) {
        throw new RangeError('a text with something else than characters in it');
      }
      size += ((meta ?? 0) >>> 4) * times;
    });
    this._passNames(rows);
    [this._insert, this._action, this._successors].forEach(column => column.pass(rows));
    return this._raw.bytes(size);
  }

  private _skip(rows: number): void {
    let size = 0;
    this._meta.pass(rows, (meta, times) => {
      size += ((meta ?? 0) >>> 4) * times;
    });
    this._raw.bytes(size);
    this._passNames(rows);
    [this._insert, this._action, this._successors].forEach(column => column.pass(rows));
  }

  private _passNames(rows: number): void {
    this._key.pass(rows);
    this._idActor.pass(rows);
    this._idCounter.pass(rows, (difference, times) => {
      this._counter += (difference ?? 0) * times;
    });
  }

  private _each(rows: number, take: (row: IRow) => void): void {
    for (; rows > 0; rows--) {
      this._counter += this._idCounter.next() ?? 0;
      take({
        id: this._name(this._counter, this._idActor.next()),
        key: this._key.next(),
        isInserted: this._insert.next() ?? false,
        isOverwritten: (this._successors.next() ?? 0) > 0,
        value: this._value(this._action.next() ?? SET)
      });
    }
  }

  private _value(action: number): Typed {
    const meta = this._meta.next() ?? 0;
    const raw = this._raw.bytes(meta >>> 4);
    const container = CONTAINERS.get(action);
    if (container !== undefined) {
      return [container, null];
    }
    if (action !== SET) {
      throw new RangeError('an operation that is not for a notebook');
    }
    return scalar(meta & 15, raw);
  }

  /** A value at its place; an object has a name from now on. */
  private _placed(value: Typed, id: string): Typed {
    if (value[1] !== null || !CONTAINER_KINDS.has(value[0])) {
      return value;
    }
    this._kinds.set(id, value[0]);
    return [value[0], id];
  }

  private _name(counter: number, actor: number | null): string {
    return `${counter}@${this._actors[actor ?? 0]}`;
  }

  private readonly _kinds = new Map<string, string>();
  private _counter = 0;
  private readonly _objectActor: Column<number>;
  private readonly _objectCounter: Column<number>;
  private readonly _key: Column<string>;
  private readonly _idActor: Column<number>;
  private readonly _idCounter: Column<number>;
  private readonly _insert: Column<boolean>;
  private readonly _action: Column<number>;
  private readonly _meta: Column<number>;
  private readonly _raw: ByteReader;
  private readonly _successors: Column<number>;
}

const CONTAINER_KINDS = new Set(CONTAINERS.values());

function scalar(type: number, raw: Uint8Array): Typed {
  const kind = VALUE_TYPES[type] ?? 'other';
  switch (kind) {
    case 'boolean':
      return [kind, type === TRUE];
    case 'uint':
      return [kind, new ByteReader(raw).uleb()];
    case 'int':
      return [kind, new ByteReader(raw).sleb()];
    case 'f64':
      return [kind, new DataView(raw.buffer, raw.byteOffset, 8).getFloat64(0, true)];
    case 'str':
      return [kind, decodeText(raw)];
    default:
      return [kind, null];
  }
}

/**
 * The only door to Automerge: one replica of one document, through the engine's low-level handle.
 *
 * The library's own JavaScript view of a document is never built: we read what is needed straight from the engine,
 * and learn what changed from patches. So a keystroke costs the same at any document size. Text indices are UTF-16
 * units, as in CodeMirror and Yjs.
 *
 * A document that came whole is read without the engine until somebody changes it: see `WholeDocument`.
 */
import * as A from '@automerge/automerge/slim';
import { joined } from './bytes.js';
import { ISyncMessage, readSyncMessage } from './syncMessage.js';
import { WholeDocument } from './wholeDocument.js';

/** An object inside a document; opaque. */
export type ObjectId = string;
export type Heads = readonly string[];
export type Patch = A.Patch;

export const ROOT: ObjectId = '_root';

/** What JSON can say, which is what a notebook is made of. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** What the engine believes the other side of one socket has. */
export interface ISyncState {
  free(): void;
}

interface IHandle {
  commit(message: string | undefined, time: number): string | null;
  delete(object: ObjectId, key: string): void;
  diffIncremental(): Patch[];
  generateSyncMessage(state: ISyncState): Uint8Array | null;
  getCursor(object: ObjectId, position: number | 'end'): string;
  getCursorPosition(object: ObjectId, cursor: string): number;
  getChanges(since: string[]): Uint8Array[];
  getChangesMeta(since: string[]): { hash: string }[];
  getHeads(): string[];
  getMissingDeps(heads: string[]): string[];
  getWithType(object: ObjectId, key: string | number): [string, unknown] | null;
  insert(object: ObjectId, index: number, value: unknown, kind: string): void;
  insertObject(object: ObjectId, index: number, value: object | string): ObjectId;
  keys(object: ObjectId): string[];
  length(object: ObjectId): number;
  loadIncremental(data: Uint8Array): number;
  pendingOps(): number;
  put(object: ObjectId, key: string, value: unknown, kind: string): void;
  putObject(object: ObjectId, key: string, value: object | string): ObjectId;
  receiveSyncMessage(state: ISyncState, message: Uint8Array): void;
  save(): Uint8Array;
  splice(object: ObjectId, index: number, deleted: number, text?: string): void;
  text(object: ObjectId): string;
  updateDiffCursor(): void;
}

let started: Promise<void> | null = null;

/**
 * Load the engine, once.
 *
 * @param wasm its address or its bytes
 */
export function startEngine(wasm: string | Uint8Array): Promise<void> {
  started ??= A.initializeWasm(wasm as Uint8Array).then(() => {
    // Sync states stay in the engine: the library would copy one out and in again at each message.
    const keep = (state: unknown): unknown => state;
    (A.use as (api: object) => void)({ exportSyncState: keep, importSyncState: keep });
  });
  return started;
}

export function sameHeads(a: Heads, b: Heads): boolean {
  if (a.length !== b.length) {
    return false;
  }
  const known = new Set(a);
  return b.every(head => known.has(head));
}

/** One replica of one Automerge document. */
export class Replica {
  constructor() {
    this._document = A.init();
    this._engine = A.getBackend(this._document) as unknown as IHandle;
  }

  get heads(): string[] {
    if (this._whole !== null) {
      return this._whole.heads;
    }
    this.commit();
    return this._handle.getHeads();
  }

  /** Whether the engine has the document. */
  get isInEngine(): boolean {
    return this._whole === null;
  }

  /** Whether all these changes are here. */
  contains(heads: Heads): boolean {
    const present = new Set(this._whole?.heads);
    return (
      heads.every(head => present.has(head)) || this._handle.getMissingDeps([...heads]).length === 0
    );
  }

  /** How many changes are here that were not at these heads. */
  countSince(heads: Heads): number {
    if (sameHeads(heads, this.heads)) {
      return 0;
    }
    return this._handle.getChangesMeta([...heads]).length;
  }

  /** Whether all these changes are among, or before, the others; both are here. */
  includes(heads: Heads, changes: Heads): boolean {
    if (changes.every(change => heads.includes(change))) {
      return true;
    }
    this.commit();
    const later = new Set(this._handle.getChangesMeta([...heads]).map(({ hash }) => hash));
    return !changes.some(change => later.has(change));
  }

  // ---- reading ----

  /** The object at a key, if there is one of that kind. */
  object(parent: ObjectId, key: string | number, kind: 'map' | 'list' | 'text'): ObjectId | null {
    const value = this._reader.getWithType(parent, key);
    return value !== null && value[0] === kind ? (value[1] as ObjectId) : null;
  }

  keys(object: ObjectId): string[] {
    return this._reader.keys(object);
  }

  length(object: ObjectId): number {
    return this._reader.length(object);
  }

  text(object: ObjectId): string {
    return this._reader.text(object);
  }

  /** A value with all that is in it; undefined when the key is absent. A Text reads as its string. */
  value(parent: ObjectId, key: string | number): Json | undefined {
    const found = this._reader.getWithType(parent, key);
    if (found === null) {
      return undefined;
    }
    const [kind, value] = found;
    switch (kind) {
      case 'map':
        return this.map(value as ObjectId);
      case 'list':
        return this.list(value as ObjectId);
      case 'text':
        return this.text(value as ObjectId);
      case 'str':
      case 'boolean':
        return value as string | boolean;
      case 'int':
      case 'uint':
        return Number(value);
      case 'f64':
        return Number.isFinite(value) ? (value as number) : null;
      default:
        return null; // null, counters, bytes, timestamps
    }
  }

  map(object: ObjectId): JsonObject {
    const out: JsonObject = {};
    for (const key of this.keys(object)) {
      out[key] = this.value(object, key) ?? null;
    }
    return out;
  }

  list(object: ObjectId): Json[] {
    return Array.from(
      { length: this.length(object) },
      (_, index) => this.value(object, index) ?? null
    );
  }

  /** A string, be it a scalar or a Text; null for anything else. */
  string(parent: ObjectId, key: string): string | null {
    const value = this.value(parent, key);
    return typeof value === 'string' ? value : null;
  }

  // ---- writing; visible here at once, to others after the next commit and sync ----

  put(object: ObjectId, key: string, value: Json): void {
    if (value !== null && typeof value === 'object') {
      this._fill(this._handle.putObject(object, key, Array.isArray(value) ? [] : {}), value);
    } else {
      this._handle.put(object, key, value, scalarKind(value));
    }
  }

  /** A new map, empty. */
  makeMap(parent: ObjectId, key: string): ObjectId {
    return this._handle.putObject(parent, key, {});
  }

  /** A new Text. */
  makeText(parent: ObjectId, key: string, text: string): ObjectId {
    return this._handle.putObject(parent, key, text);
  }

  delete(object: ObjectId, key: string): void {
    this._handle.delete(object, key);
  }

  splice(text: ObjectId, index: number, deleted: number, inserted = ''): void {
    this._handle.splice(text, index, deleted, inserted);
  }

  get hasPending(): boolean {
    return this._engine.pendingOps() > 0;
  }

  /** Make one change of what was written since the last; false when nothing was. */
  commit(): boolean {
    if (!this.hasPending) {
      return false;
    }
    this._handle.commit(undefined, Math.floor(Date.now() / 1000));
    this._handle.updateDiffCursor(); // our own edits are no news
    return true;
  }

  // ---- a place in a text, as everybody else will find it ----

  cursor(text: ObjectId, index: number): string {
    return this._handle.getCursor(text, index < this._handle.length(text) ? index : 'end');
  }

  /** Where a cursor is now; null when its character has not arrived yet. */
  cursorIndex(text: ObjectId, cursor: string): number | null {
    try {
      return this._handle.getCursorPosition(text, cursor);
    } catch {
      return null;
    }
  }

  // ---- sync ----

  newSyncState(): ISyncState {
    return A.initSyncState() as unknown as ISyncState;
  }

  /** The next message for the other side; null when there is nothing to say. */
  generate(state: ISyncState): Uint8Array | null {
    if (this._whole?.isOf(state)) {
      return this._whole.answer();
    }
    this.commit();
    return this._handle.generateSyncMessage(state);
  }

  /**
   * Take a message of the other side.
   *
   * @returns what it changed; null when the document came into being by it, so that all of it is new
   */
  receive(state: ISyncState, message: Uint8Array): Patch[] | null {
    this.commit();
    const isEmpty = this._engine.getHeads().length === 0;
    const read = isEmpty ? readSyncMessage(message) : null;
    if (read !== null) {
      const whole = WholeDocument.of(state, read);
      if (whole !== null) {
        this._whole = whole;
        return null;
      }
      if (this._whole?.hears(state, read)) {
        return [];
      }
    }
    return isEmpty && this._whole === null
      ? this._receiveFirst(state, message, read)
      : this._receiveMore(state, message);
  }

  private _receiveFirst(
    state: ISyncState,
    message: Uint8Array,
    read: ISyncMessage | null
  ): Patch[] | null {
    if (read?.hasChunks) {
      // To sync a whole document takes twice as long as to load it, and then there is nothing left to sync.
      read.changes.forEach(chunk => this._engine.loadIncremental(chunk));
    }
    this._engine.receiveSyncMessage(state, message);
    // To list every character of a whole document as a patch would take longer than to read it.
    this._engine.updateDiffCursor();
    return this._engine.getHeads().length === 0 ? [] : null;
  }

  private _receiveMore(state: ISyncState, message: Uint8Array): Patch[] {
    this._handle.receiveSyncMessage(state, message);
    return this._handle.diffIncremental();
  }

  /**
   * Put changes into a document that has all they depend on, with no sync state.
   *
   * @param changes each one or more chunks
   * @returns what they changed
   */
  apply(changes: readonly Uint8Array[]): Patch[] {
    if (changes.length === 0) {
      return [];
    }
    this.commit();
    this._handle.loadIncremental(joined(changes));
    return this._handle.diffIncremental();
  }

  /** The changes that are not in the history of these heads, which are here. */
  changesSince(heads: Heads): Uint8Array[] {
    this.commit();
    return this._handle.getChanges([...heads]);
  }

  save(): Uint8Array {
    if (this._whole !== null) {
      return this._whole.chunk;
    }
    this.commit();
    return this._handle.save();
  }

  free(): void {
    A.free(this._document);
  }

  private _fill(object: ObjectId, value: Json[] | JsonObject): void {
    if (!Array.isArray(value)) {
      for (const [key, item] of Object.entries(value)) {
        if (item !== undefined) {
          this.put(object, key, item);
        }
      }
      return;
    }
    value.forEach((item, index) => {
      if (item !== null && typeof item === 'object') {
        this._fill(this._handle.insertObject(object, index, Array.isArray(item) ? [] : {}), item);
      } else {
        this._handle.insert(object, index, item, scalarKind(item));
      }
    });
  }

  private readonly _document: A.Doc<unknown>;
  private get _reader(): Pick<IHandle, 'getWithType' | 'keys' | 'length' | 'text'> {
    return this._whole?.document ?? this._engine;
  }

  /** The engine, with the document in it. */
  private get _handle(): IHandle {
    const whole = this._whole;
    if (whole !== null) {
      this._whole = null;
      this._engine.loadIncremental(whole.chunk);
      this._engine.receiveSyncMessage(...whole.heard);
      this._engine.updateDiffCursor();
    }
    return this._engine;
  }

  private readonly _engine: IHandle;
  private _whole: WholeDocument<ISyncState> | null = null;
}

function scalarKind(value: null | boolean | number | string): string {
  switch (typeof value) {
    case 'string':
      return 'str'; // a plain JavaScript string would become a Text
    case 'boolean':
      return 'boolean';
    case 'number':
      return Number.isSafeInteger(value) ? 'int' : 'f64';
    default:
      return 'null';
  }
}

/**
 * The notebook document's schema over a replica: cells in order, and the edits a front end makes.
 *
 * What a peer has broken reads as something harmless: a cell with no source is an empty code cell, one with no
 * position stands first. Nothing here knows of sync or of JupyterLab.
 */
import { JsonObject, Json, ObjectId, Replica, ROOT } from './automerge.js';
import { between, isPosition } from './position.js';
import { isBefore, longestIncreasing } from './sequence.js';

export type CellType = 'code' | 'markdown' | 'raw';

/** A reference to a blob, or nbformat's own string. */
export type Attachments = { [name: string]: { [mime: string]: Json } };

export interface ICell {
  readonly id: string;
  readonly cellType: CellType;
  readonly source: string;
  readonly metadata: JsonObject;
  readonly attachments: Attachments | null;
  readonly executionId: string | null;
}

export class NotebookDocument {
  constructor(readonly replica: Replica) {}

  /** False as long as nothing has arrived: then there is nothing to edit either. */
  get exists(): boolean {
    return this._cells !== null;
  }

  /** Forget what is remembered of the order of cells, when cells came, went or moved. */
  orderChanged(): void {
    this._order = null;
    this._objects.clear();
    this._executionIds.clear();
  }

  /** Forget which executions cells show. */
  executionsChanged(): void {
    this._executionIds.clear();
  }

  /** Ids in the order of the notebook. */
  get order(): readonly string[] {
    this._order ??= this._readOrder();
    return this._order;
  }

  has(id: string): boolean {
    return this._object(id) !== null;
  }

  cell(id: string): ICell | null {
    const object = this._object(id);
    return object === null
      ? null
      : {
          id,
          cellType: this.cellType(id),
          source: this.source(id),
          metadata: this.cellMetadata(id),
          attachments: this.attachments(id),
          executionId: this.executionId(id)
        };
  }

  cellType(id: string): CellType {
    const object = this._object(id);
    const type = object && this.replica.string(object, 'cell_type');
    return type === 'markdown' || type === 'raw' ? type : 'code';
  }

  source(id: string): string {
    const object = this._object(id);
    return (object && this.replica.string(object, 'source')) ?? '';
  }

  /** A cell's metadata; `trusted` is each tab's own affair and is never here. */
  cellMetadata(id: string): JsonObject {
    const object = this._object(id);
    return object === null ? {} : withoutTrust(this._map(object, 'metadata'));
  }

  attachments(id: string): Attachments | null {
    const object = this._object(id);
    const value = object === null ? null : this.replica.value(object, 'attachments');
    return isObject(value) ? (value as Attachments) : null;
  }

  /** Remembered, because everything that shows something of a cell's execution asks for it. */
  executionId(id: string): string | null {
    let executionId = this._executionIds.get(id);
    if (executionId === undefined) {
      const object = this._object(id);
      executionId = object && this.replica.string(object, 'execution_id');
      this._executionIds.set(id, executionId);
    }
    return executionId;
  }

  get metadata(): JsonObject {
    return this._map(ROOT, 'metadata');
  }

  /** The Text of a cell, made if a broken peer left none. */
  text(id: string): ObjectId | null {
    const object = this._object(id);
    if (object === null) {
      return null;
    }
    return (
      this.replica.object(object, 'source', 'text') ??
      this.replica.makeText(object, 'source', this.source(id))
    );
  }

  // ---- edits ----

  /** Make a cell of an id that is not there; it has no place until `arrange`. */
  addCell(cell: ICell): void {
    const cells = this._cells;
    if (cells === null) {
      return;
    }
    const object = this.replica.makeMap(cells, cell.id);
    this.replica.put(object, 'id', cell.id);
    this.replica.put(object, 'cell_type', cell.cellType);
    this.replica.makeText(object, 'source', cell.source);
    this.replica.put(object, 'metadata', withoutTrust(cell.metadata));
    this.replica.put(object, 'execution_id', cell.executionId);
    if (cell.attachments !== null) {
      this.replica.put(object, 'attachments', cell.attachments);
    }
    this._objects.set(cell.id, object);
    this._executionIds.delete(cell.id);
    this._order = null;
  }

  deleteCell(id: string): void {
    const cells = this._cells;
    if (cells !== null && this.has(id)) {
      this.replica.delete(cells, id);
      this._objects.delete(id);
      this._executionIds.delete(id);
      this._order = null;
    }
  }

  setCellType(id: string, type: CellType): void {
    const object = this._object(id);
    if (object !== null && this.cellType(id) !== type) {
      this.replica.put(object, 'cell_type', type);
    }
  }

  /** Make a cell's text this one, by the smallest single replacement. */
  setSource(id: string, source: string): void {
    const text = this.text(id);
    if (text !== null) {
      this.setText(text, source);
    }
  }

  /** Make a text this one, be it of a cell that is gone. */
  setText(text: ObjectId, source: string): void {
    const { index, deleted, inserted } = replacement(this.replica.text(text), source);
    if (deleted > 0 || inserted) {
      this.replica.splice(text, index, deleted, inserted);
    }
  }

  setCellMetadata(id: string, metadata: JsonObject): void {
    const object = this._object(id);
    if (object !== null) {
      this._setKeys(object, 'metadata', withoutTrust(metadata));
    }
  }

  setAttachments(id: string, attachments: Attachments | null): void {
    const object = this._object(id);
    if (object === null) {
      return;
    }
    if (attachments === null) {
      if (this.attachments(id) !== null) {
        this.replica.delete(object, 'attachments');
      }
    } else {
      this._setKeys(object, 'attachments', attachments);
    }
  }

  setMetadata(metadata: JsonObject): void {
    this._setKeys(ROOT, 'metadata', metadata);
  }

  /**
   * Put the cells in this order, moving as few as possible.
   *
   * @param ids every cell of the notebook, once
   * @param moved cells that were moved, so that not their neighbours are
   */
  arrange(ids: readonly string[], moved: ReadonlySet<string> = new Set()): void {
    const positions = ids.map(id => this._position(id));
    const pairs = positions.map((position, index): [string, string] => [position, ids[index]]);
    let stays = longestIncreasing(pairs);
    if (stays.size === ids.length) {
      return;
    }
    stays = longestIncreasing(pairs.map(pair => (moved.has(pair[1]) ? ['', ''] : pair)));
    let last: [string, string] = ['', ''];
    ids.forEach((id, index) => {
      const position = positions[index];
      if (stays.has(index) && isBefore(last, [position, id])) {
        last = [position, id];
        return;
      }
      const bound = positions.find(
        (other, place) => place > index && stays.has(place) && other > last[0]
      );
      last = [between(last[0], bound ?? ''), id];
      const object = this._object(id);
      if (object !== null) {
        this.replica.put(object, 'position', last[0]);
        this._order = null;
      }
    });
  }

  private get _cells(): ObjectId | null {
    return this.replica.object(ROOT, 'cells', 'map');
  }

  private _object(id: string): ObjectId | null {
    const known = this._objects.get(id);
    if (known !== undefined) {
      return known;
    }
    const cells = this._cells;
    const object = cells && this.replica.object(cells, id, 'map');
    if (object) {
      this._objects.set(id, object);
    }
    return object;
  }

  private _position(id: string): string {
    const object = this._object(id);
    const position = object && this.replica.value(object, 'position');
    return isPosition(position) ? position : '';
  }

  private _readOrder(): string[] {
    const cells = this._cells;
    if (cells === null) {
      return [];
    }
    return this.replica
      .keys(cells)
      .filter(id => this._object(id) !== null)
      .map((id): [string, string] => [this._position(id), id])
      .sort((a, b) => (isBefore(a, b) ? -1 : 1))
      .map(([, id]) => id);
  }

  private _map(parent: ObjectId, key: string): JsonObject {
    const value = this.replica.value(parent, key);
    return isObject(value) ? value : {};
  }

  /** Write only the keys that differ, so that two people may change two keys at once. */
  private _setKeys(parent: ObjectId, key: string, wanted: JsonObject): void {
    const object = this.replica.object(parent, key, 'map') ?? this.replica.makeMap(parent, key);
    const present = this.replica.map(object);
    for (const name of Object.keys(present)) {
      if (!(name in wanted) && !(key === 'metadata' && name === 'trusted')) {
        this.replica.delete(object, name);
      }
    }
    for (const [name, value] of Object.entries(wanted)) {
      if (value !== undefined && !sameJson(present[name], value)) {
        this.replica.put(object, name, value);
      }
    }
  }

  private _order: string[] | null = null;
  private readonly _objects = new Map<string, ObjectId>();
  private readonly _executionIds = new Map<string, string | null>();
}

export function withoutTrust(metadata: JsonObject): JsonObject {
  const { trusted: _, ...rest } = metadata;
  return rest;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) {
    return true;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) {
    return false;
  }
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every(key => key in b && sameJson(a[key], b[key]))
  );
}

/** The smallest single replacement that makes one text of another; surrogate pairs stay whole. */
export function replacement(
  before: string,
  after: string
): { index: number; deleted: number; inserted: string } {
  const shorter = Math.min(before.length, after.length);
  let index = 0;
  while (index < shorter && before[index] === after[index]) {
    index++;
  }
  if (index > 0 && isHighSurrogate(before.charCodeAt(index - 1))) {
    index--;
  }
  let tail = 0;
  while (
    tail < shorter - index &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  ) {
    tail++;
  }
  if (tail > 0 && isLowSurrogate(before.charCodeAt(before.length - tail))) {
    tail--;
  }
  return {
    index,
    deleted: before.length - tail - index,
    inserted: after.slice(index, after.length - tail)
  };
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

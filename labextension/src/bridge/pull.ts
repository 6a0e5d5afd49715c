/** From the notebook document into the shared model: all of it, or what patches say. */
import * as Y from 'yjs';
import { JsonObject, Patch } from '../automerge.js';
import { ICell, sameJson } from '../notebookDocument.js';
import { AttachmentTranslator } from './attachments.js';
import { makeYCell, YCellMap, yCellType, yId, yMetadata, ySource } from './cells.js';
import { executionOf, IBridgeHost } from './host.js';
import { pullMetadata } from './metadata.js';
import { pullOrder } from './order.js';
import { isTrusted } from './outputs.js';
import { ShownNotebook } from './shown.js';
import { pullText, setText } from './text.js';

export class NotebookPull {
  constructor(
    private readonly _shown: ShownNotebook,
    private readonly _host: IBridgeHost,
    private readonly _attachments: AttachmentTranslator
  ) {}

  /** Prepare a shared model in which nothing has been shown yet. */
  begin(): void {
    const { ymeta } = this._shown.shared;
    this._shown.transact(() => {
      ymeta.set('nbformat', 4);
      ymeta.set('nbformat_minor', 5);
      ymeta.set('metadata', new Y.Map());
    });
  }

  /** Compare everything. */
  all(): void {
    const document = this._host.notebook;
    const present = this._shown.known;
    this._order(new Set());
    this._shown.transact(() => {
      pullMetadata(this._shown.metadata, document.metadata);
      for (const [id, cell] of this._shown.known) {
        if (present.get(id) === cell) {
          setText(ySource(cell), document.source(id));
          this._fields(id, cell);
        }
      }
    });
  }

  /**
   * Show what patches say.
   *
   * @returns the cells that were made, or that show another execution
   */
  patches(patches: Patch[]): Set<string> {
    const fresh = patches.some(changesOrder) ? this._order(movedCells(patches)) : new Set<string>();
    const changed = new Set(fresh);
    this._shown.transact(() => {
      for (const patch of patches) {
        const [root, key, field] = patch.path;
        if (root === 'metadata') {
          pullMetadata(this._shown.metadata, this._host.notebook.metadata);
        }
        const id = String(key);
        const cell = root === 'cells' ? this._shown.cell(id) : null;
        if (cell === null || fresh.has(id)) {
          continue;
        }
        if (field === 'source') {
          if (!pullText(ySource(cell), patch)) {
            setText(ySource(cell), this._host.notebook.source(id));
          }
        } else if (field === 'execution_id') {
          changed.add(id);
        } else if (field === 'metadata' || field === 'attachments') {
          this._fields(id, cell);
        }
      }
    });
    return changed;
  }

  /** @returns ids of cells that were made */
  private _order(moved: ReadonlySet<string>): Set<string> {
    const made = new Set<string>();
    const { focus } = this._host;
    const before = focus === null ? [] : this._shown.cells.map(yId);
    pullOrder(this._shown, this._host.notebook, moved, focus, id => {
      made.add(id);
      return this._makeCell(id);
    });
    this._shown.remember();
    if (focus !== null && before.includes(focus) && !this._shown.known.has(focus)) {
      this._host.focusLost(this._inPlaceOf(focus, before));
    }
    return made;
  }

  /** The cell that stands where another one stood. */
  private _inPlaceOf(id: string, before: readonly string[]): string | null {
    const place = before.indexOf(id);
    const near = [...before.slice(place), ...before.slice(0, place).reverse()];
    return near.find(other => this._shown.known.has(other)) ?? null;
  }

  private _makeCell(id: string): YCellMap {
    const cell = this._host.notebook.cell(id) as ICell;
    const shown = cell.attachments && this._attachments.toShown(cell.attachments);
    const isWaiting = shown instanceof Promise;
    const made = makeYCell(
      cell,
      isWaiting ? null : shown,
      isTrusted(cell.executionId, executionOf(this._host, id))
    );
    if (isWaiting) {
      void shown.then(value => this._putAttachments(id, made, value));
    }
    return made;
  }

  private _fields(id: string, cell: YCellMap): void {
    pullMetadata(yMetadata(cell), this._host.notebook.cellMetadata(id));
    const attachments = this._host.notebook.attachments(id);
    if (attachments !== null) {
      const shown = this._attachments.toShown(attachments);
      if (shown instanceof Promise) {
        void shown.then(value => this._putAttachments(id, cell, value));
      } else {
        this._putAttachments(id, cell, shown);
      }
    } else if (cell.has('attachments')) {
      cell.delete('attachments');
    }
  }

  private _putAttachments(id: string, cell: YCellMap, attachments: JsonObject): void {
    const isShown = this._shown.cell(id) === cell && yCellType(cell) !== 'code';
    if (isShown && !sameJson(cell.get('attachments'), attachments)) {
      this._shown.transact(() => cell.set('attachments', attachments));
    }
  }
}

/** Whether a patch may touch which cells there are, their order, or what kind of cell one is. */
function changesOrder({ path }: Patch): boolean {
  return (
    path[0] === 'cells' && (path.length <= 2 || path[2] === 'position' || path[2] === 'cell_type')
  );
}

function movedCells(patches: Patch[]): Set<string> {
  const places = patches.filter(({ path }) => path[0] === 'cells' && path[2] === 'position');
  return new Set(places.map(({ path }) => String(path[1])));
}

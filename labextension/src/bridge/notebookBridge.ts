/**
 * A YNotebook as the view of a room's documents.
 *
 * The Automerge document is the truth, the shared model only what JupyterLab shows and edits:
 *
 * 1. A local transaction of the shared model is in the document before control returns to the event loop.
 * 2. News of the document is in the shared model in one transaction, whose origin is the bridge. Nothing is merged
 *    here, and what the bridge wrote is never written back.
 * 3. Outputs, prompt numbers and trust go one way, from the runtime document; who clears outputs asks the server to.
 * 4. A notebook without cells shows one that is not in the document until somebody types in it.
 * 5. Whoever may not write sees his edit vanish.
 */
import { YNotebook } from '@jupyter/ydoc';
import { UUID } from '@lumino/coreutils';
import * as Y from 'yjs';
import { JsonObject, Patch } from '../automerge.js';
import { ICell, NotebookDocument, sameJson } from '../notebookDocument.js';
import { BlobCache } from '../outputs.js';
import { IExecution, IRuntimeChange, RuntimeDocument } from '../runtimeDocument.js';
import { AttachmentTranslator, StoreBlob } from './attachments.js';
import {
  cellOf,
  makeYCell,
  plain,
  yAttachments,
  YCellMap,
  YCells,
  yCellType,
  yId,
  yMetadata,
  yOutputs,
  ySource
} from './cells.js';
import { metadataToPush, pullMetadata } from './metadata.js';
import { pullOrder, pushOrder } from './order.js';
import { isTrusted, OutputsMirror } from './outputs.js';
import { pullText, pushText, setText } from './text.js';

/** What a bridge needs of its room. */
export interface IBridgeHost {
  readonly notebook: NotebookDocument;
  readonly runtime: RuntimeDocument;
  readonly writable: boolean;
  /** Somebody edited here. */
  edited(): void;
  /** Somebody cleared a cell's outputs here. */
  cleared(cellId: string): void;
  readonly blobs: BlobCache;
  readonly storeBlob: StoreBlob;
}

type YEvents = readonly Y.YEvent<Y.AbstractType<unknown>>[];

/** The origin of what JupyterLab writes back of outputs it was given. */
const ECHO = 'silent-change';

export class NotebookBridge {
  constructor(
    readonly shared: YNotebook,
    private readonly _host: IBridgeHost
  ) {
    this._cells = shared.ydoc.getArray('cells') as unknown as YCells;
    this._attachments = new AttachmentTranslator(_host.blobs, _host.storeBlob);
    this._outputs = new OutputsMirror(
      { execution: id => this.execution(id), cell: id => this._known.get(id) ?? null },
      _host.blobs,
      write => this._transact(write)
    );
    this._cells.observeDeep(this._onCells);
    shared.ymeta.observeDeep(this._onMetadata);
  }

  /** Whether the document has been shown at all. */
  get isLoaded(): boolean {
    return this._isLoaded;
  }

  /** The execution whose outputs a cell shows. */
  execution(cellId: string): IExecution | null {
    const id = this._host.notebook.executionId(cellId);
    return id === null ? null : this._host.runtime.execution(id);
  }

  /** The shared model of a cell. */
  cell(cellId: string): YCellMap | null {
    return this._known.get(cellId) ?? null;
  }

  dispose(): void {
    this._outputs.dispose();
    this._cells.unobserveDeep(this._onCells);
    this.shared.ymeta.unobserveDeep(this._onMetadata);
  }

  // ---- from the documents ----

  /** The notebook document has news; null: compare everything. */
  notebookChanged(patches: Patch[] | null): void {
    // Cells wait for their outputs: whether a cell is trusted is asked when it is made.
    if (!this._host.notebook.exists || !(this._isLoaded || this._host.runtime.exists)) {
      return;
    }
    if (patches === null || !this._isLoaded) {
      this._pullAll();
    } else {
      this._pull(patches);
    }
  }

  /** The runtime document has news. */
  runtimeChanged(change: IRuntimeChange): void {
    if (!this._isLoaded) {
      this.notebookChanged(null);
      return;
    }
    for (const id of this._known.keys()) {
      const execution = this._host.notebook.executionId(id);
      if (change.executions === null || (execution !== null && change.executions.has(execution))) {
        this._outputs.refresh(id);
      }
    }
  }

  /** Show the outputs of a cell as they are, now. */
  showOutputs(cellId: string): void {
    this._outputs.show(cellId);
  }

  /** Show the outputs of a cell as they are, whatever was done to them here. */
  refreshOutputs(cellId: string): void {
    this._outputs.refresh(cellId);
  }

  /** Show the one cell that a notebook without cells has. */
  ensureCell(): void {
    if (this._isLoaded && this._cells.length === 0) {
      const cell: ICell = {
        id: UUID.uuid4(),
        cellType: 'code',
        source: '',
        metadata: {},
        attachments: null,
        executionId: null
      };
      this._transact(() => this._cells.push([makeYCell(cell, null, true)]));
      this._phantom = cell.id;
    }
  }

  /** Write the cell that only this tab shows, because it is to be run. */
  materialize(cellId: string): void {
    if (!this._host.notebook.has(cellId)) {
      this._edit(() => this._pushOrder());
    }
  }

  // ---- what waits while the document is replaced ----

  /** From now on edits are noted, not written: the replica is being handed to the server. */
  hold(): void {
    this._held = new Map();
  }

  /** The new document is there, and not yet shown: write into it what was typed meanwhile. */
  release(): void {
    const held = this._held;
    this._held = null;
    if (held === null || !this._host.writable) {
      return;
    }
    for (const [id, source] of held) {
      if (this._host.notebook.has(id)) {
        this._host.notebook.setSource(id, source);
        this._host.edited();
      }
    }
  }

  private _transact(write: () => void): void {
    this.shared.ydoc.transact(write, this);
  }

  // ---- pulling ----

  private _pullAll(): void {
    const document = this._host.notebook;
    const isFirst = !this._isLoaded;
    this._isLoaded = true;
    this._transact(() => {
      if (isFirst) {
        this.shared.ymeta.set('nbformat', 4);
        this.shared.ymeta.set('nbformat_minor', 5);
        this.shared.ymeta.set('metadata', new Y.Map());
      }
      pullMetadata(this._ymetadata, document.metadata);
      const present = new Map(this._known);
      this._pullOrder();
      for (const [id, cell] of this._known) {
        if (present.get(id) === cell) {
          setText(ySource(cell), document.source(id));
          this._pullFields(id, cell);
        }
      }
    });
    for (const id of this._known.keys()) {
      this._outputs.show(id);
    }
  }

  private _pull(patches: Patch[]): void {
    const shown = new Set<string>();
    this._transact(() => {
      const isStructural = patches.some(
        ({ path }) =>
          path[0] === 'cells' &&
          (path.length <= 2 || path[2] === 'position' || path[2] === 'cell_type')
      );
      const fresh = isStructural ? this._pullOrder() : new Set<string>();
      fresh.forEach(id => shown.add(id));
      for (const patch of patches) {
        const [root, id, field] = patch.path;
        if (root === 'metadata') {
          pullMetadata(this._ymetadata, this._host.notebook.metadata);
        }
        const cell = root === 'cells' && this._known.get(String(id));
        if (!cell || fresh.has(String(id))) {
          continue;
        }
        if (field === 'source') {
          if (!pullText(ySource(cell), patch)) {
            setText(ySource(cell), this._host.notebook.source(String(id)));
          }
        } else if (field === 'execution_id') {
          shown.add(String(id));
        } else if (field === 'metadata' || field === 'attachments') {
          this._pullFields(String(id), cell);
        }
      }
    });
    shown.forEach(id => this._outputs.refresh(id));
  }

  /** @returns ids of cells that were made */
  private _pullOrder(): Set<string> {
    const made = new Set<string>();
    pullOrder(this._cells, this._host.notebook, id => {
      made.add(id);
      return this._makeYCell(id);
    });
    this._remember();
    return made;
  }

  private _makeYCell(id: string): YCellMap {
    const cell = this._host.notebook.cell(id) as ICell;
    const shown = cell.attachments && this._attachments.toShown(cell.attachments);
    const isWaiting = shown instanceof Promise;
    const made = makeYCell(
      cell,
      isWaiting ? null : shown,
      isTrusted(cell.executionId, this.execution(id))
    );
    if (isWaiting) {
      void shown.then(value => this._putAttachments(id, made, value));
    }
    return made;
  }

  private _pullFields(id: string, cell: YCellMap): void {
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
    const isShown = this._known.get(id) === cell && yCellType(cell) !== 'code';
    if (isShown && !sameJson(cell.get('attachments'), attachments)) {
      this._transact(() => cell.set('attachments', attachments));
    }
  }

  // ---- pushing ----

  private readonly _onCells = (events: YEvents, transaction: Y.Transaction): void => {
    if (transaction.origin === this || !this._isLoaded || transaction.origin === ECHO) {
      return;
    }
    const edits = events.filter(event => this._isEdit(event));
    if (edits.length === 0) {
      return;
    }
    this._edit(() => {
      let isStructural = false;
      for (const event of edits) {
        const cell = cellOf(event, this._cells);
        if (cell === null || !this._host.notebook.has(yId(cell))) {
          isStructural = true;
        } else {
          this._pushEvent(event, yId(cell), cell);
        }
      }
      if (isStructural) {
        this._pushOrder();
      }
    });
  };

  /** Whether an event is for the document: outputs are not, nor is a mark on the cell that is not there. */
  private _isEdit(event: YEvents[number]): boolean {
    const cell = cellOf(event, this._cells);
    if (cell === null) {
      return true;
    }
    const field = event.path[1];
    if (field === 'outputs') {
      const outputs = yOutputs(cell);
      if (event.target === (outputs as unknown) && outputs?.length === 0) {
        this._host.cleared(yId(cell));
      }
      return false;
    }
    if (field === undefined) {
      return (event as Y.YMapEvent<unknown>).keysChanged.has('attachments');
    }
    return field === 'source' || (field === 'metadata' && yId(cell) !== this._phantom);
  }

  private _pushEvent(event: YEvents[number], id: string, cell: YCellMap): void {
    const document = this._host.notebook;
    const field = event.path[1];
    if (field === 'source') {
      const text = document.text(id);
      if (text !== null) {
        pushText(document.replica, text, event.delta);
      }
    } else if (field === 'metadata') {
      document.setCellMetadata(id, plain(yMetadata(cell)));
    } else {
      this._pushAttachments(id, cell);
    }
  }

  private _pushOrder(): void {
    const document = this._host.notebook;
    this._separateTwins();
    this._noteExecutions();
    pushOrder(
      this._cells,
      document,
      this._known,
      (id, cell) => {
        document.addCell({
          id,
          cellType: yCellType(cell),
          source: ySource(cell).toString(),
          metadata: plain(yMetadata(cell)),
          attachments: null,
          executionId: this._executions.get(id) ?? null
        });
        this._pushAttachments(id, cell);
      },
      (id, cell) => {
        document.setCellType(id, yCellType(cell));
        document.setSource(id, ySource(cell).toString());
        document.setCellMetadata(id, plain(yMetadata(cell)));
        this._pushAttachments(id, cell);
      }
    );
    this._phantom = null;
    const before = this._known;
    this._remember();
    // A pasted cell brings outputs along that no execution of it made.
    for (const [id, cell] of this._known) {
      if (before.get(id) !== cell) {
        setTimeout(() => this._outputs.refresh(id));
      }
    }
  }

  /** Give the later of two cells with one id, as pasting may leave them, an id of its own. */
  private _separateTwins(): void {
    const seen = new Set<string>();
    for (const cell of this._cells) {
      if (seen.has(yId(cell))) {
        this._transact(() => cell.set('id', UUID.uuid4()));
      }
      seen.add(yId(cell));
    }
  }

  private _pushAttachments(id: string, cell: YCellMap): void {
    const shown = yAttachments(cell);
    const attachments = shown && this._attachments.toDocument(shown);
    if (!(attachments instanceof Promise)) {
      this._host.notebook.setAttachments(id, attachments);
      return;
    }
    void attachments.then(stored => {
      if (this._host.notebook.has(id) && this._host.writable) {
        this._host.notebook.setAttachments(id, stored);
        this._host.edited();
      }
    });
  }

  private readonly _onMetadata = (_: YEvents, transaction: Y.Transaction): void => {
    if (transaction.origin === this || !this._isLoaded) {
      return;
    }
    const wanted = this._metadataToPush();
    if (!sameJson(wanted, this._host.notebook.metadata)) {
      this._edit(() => this._host.notebook.setMetadata(wanted));
    }
  };

  private _metadataToPush(): JsonObject {
    return metadataToPush(plain(this._ymetadata), this._host.notebook.metadata, this._hasEdits);
  }

  /** Rules 1 and 5. */
  private _edit(write: () => void): void {
    if (this._held !== null) {
      this._noteSources(this._held);
      return;
    }
    if (!this._host.writable) {
      queueMicrotask(() => this.notebookChanged(null));
      return;
    }
    write();
    if (!this._hasEdits) {
      this._hasEdits = true;
      this._host.notebook.setMetadata(this._metadataToPush());
    }
    this._host.edited();
  }

  private _noteSources(held: Map<string, string>): void {
    for (const [id, cell] of this._known) {
      const source = ySource(cell).toString();
      if (source !== this._host.notebook.source(id)) {
        held.set(id, source);
      }
    }
  }

  /** What cells showed, so that an undone deletion shows it again. */
  private _noteExecutions(): void {
    for (const id of this._known.keys()) {
      const execution = this._host.notebook.executionId(id);
      if (execution !== null) {
        this._executions.set(id, execution);
      }
    }
  }

  private _remember(): void {
    this._known = new Map(this._cells.toArray().map(cell => [yId(cell), cell]));
    if (this._phantom !== null && !this._known.has(this._phantom)) {
      this._phantom = null;
    }
  }

  private get _ymetadata(): Y.Map<unknown> {
    return this.shared.ymeta.get('metadata') as Y.Map<unknown>;
  }

  private readonly _cells: YCells;
  private readonly _outputs: OutputsMirror;
  private readonly _attachments: AttachmentTranslator;
  private _isLoaded = false;
  private _hasEdits = false;
  private _phantom: string | null = null;
  private _known: Map<string, YCellMap> = new Map();
  private readonly _executions = new Map<string, string>();
  private _held: Map<string, string> | null = null;
}

/**
 * A YNotebook as the view of a room's documents.
 *
 * The Automerge document is the truth, the shared model only what JupyterLab shows and edits:
 *
 * 1. A local transaction of the shared model is in the document before control returns to the event loop.
 * 2. News of the document is in the shared model before control returns to the event loop, in transactions of the
 *    bridge's own. Nothing is merged here, and what the bridge wrote is never written back.
 * 3. Outputs, prompt numbers and trust go one way, from the runtime document; who clears outputs, or pastes a cell of
 *    another notebook with its outputs, asks the server to.
 * 4. A notebook without cells shows one that is not in the document until somebody types in it.
 * 5. Whoever may not write sees his edit vanish.
 * 6. While a notebook is being loaded, cells show before their outputs have come, and before the rest of the cells.
 */
import { YNotebook } from '@jupyter/ydoc';
import { UUID } from '@lumino/coreutils';
import * as Y from 'yjs';
import { Json, JsonObject, Patch } from '../automerge.js';
import { NotebookDocument, sameJson } from '../notebookDocument.js';
import { IExecution, IRuntimeChange } from '../runtimeDocument.js';
import { AttachmentTranslator } from './attachments.js';
import { makeYCell, plain, YCellMap, yOutputs } from './cells.js';
import { executionOf, IBridgeHost } from './host.js';
import { mergeKeys } from './merge.js';
import { metadataToPush } from './metadata.js';
import { OutputsMirror } from './outputs.js';
import { NotebookPull } from './pull.js';
import { NotebookPush, YEvent } from './push.js';
import { ShownNotebook } from './shown.js';

/** The origin of what JupyterLab writes back of outputs it was given. */
const ECHO = 'silent-change';

export class NotebookBridge {
  constructor(
    shared: YNotebook,
    private readonly _host: IBridgeHost
  ) {
    const attachments = new AttachmentTranslator(_host.blobs, _host.storeBlob);
    this._shown = new ShownNotebook(shared);
    this._pull = new NotebookPull(this._shown, _host, attachments);
    this.outputs = new OutputsMirror(
      { execution: id => this.execution(id), cell: id => this.cell(id) },
      _host.blobs,
      write => this.transact(write)
    );
    this._push = new NotebookPush(this._shown, _host, attachments, this.outputs.memory);
    this._shown.cells.observeDeep(this._onCells);
    shared.ymeta.observeDeep(this._onMetadata);
  }

  readonly outputs: OutputsMirror;

  /** Whether the document has been shown at all. */
  get isLoaded(): boolean {
    return this._isLoaded;
  }

  /** The execution whose outputs a cell shows. */
  execution(cellId: string): IExecution | null {
    return executionOf(this._host, cellId);
  }

  /** The shared model of a cell. */
  cell(cellId: string): YCellMap | null {
    return this._shown.cell(cellId);
  }

  /** Write into the shared model what nobody edited here. */
  transact(write: () => void): void {
    this._shown.transact(write);
  }

  dispose(): void {
    this._isDisposed = true;
    this.outputs.dispose();
    this._shown.cells.unobserveDeep(this._onCells);
    this._shown.shared.ymeta.unobserveDeep(this._onMetadata);
  }

  // ---- from the documents ----

  /** The notebook document has news; null: compare everything. */
  notebookChanged(patches: Patch[] | null): void {
    if (!this._host.notebook.exists || !(this._isLoaded || this._mayBegin)) {
      return;
    }
    const wasBehind = this._isBehind;
    this._isBehind = this._isLoaded && this._isTakenBack;
    if (this._isBehind) {
      return;
    }
    if (patches !== null && this._isLoaded && !wasBehind) {
      this._refresh(this._pull.patches(patches));
      if (this._base === null && this._host.writable && this._push.carryLate()) {
        this._host.edited();
      }
      return;
    }
    if (!this._isLoaded) {
      this._isLoaded = true;
      this._pull.begin();
    }
    this._pull.all();
    this._showAll();
  }

  /** Show what was not shown yet because more was to come. */
  catchUp(): void {
    if (!this._isLoaded || this._isBehind) {
      this.notebookChanged(null);
    }
  }

  /** A load that fails takes its cells back before it says so: nobody needs to see them go one by one. */
  private get _isTakenBack(): boolean {
    return this._host.isLoading && this._host.notebook.order.length === 0;
  }

  /** Outputs that are on their way are worth waiting for: a cell is trusted, or not, when it is made. Rule 6. */
  private get _mayBegin(): boolean {
    return (
      this._host.runtime.exists || (this._host.isLoading && this._host.notebook.order.length > 0)
    );
  }

  private _showAll(): void {
    this._host.cellsShown(null); // who trusts them does it before there is anything to trust
    this.outputs.showInTurns([...this._shown.known.keys()]);
  }

  /** The runtime document has news. */
  runtimeChanged(change: IRuntimeChange): void {
    if (!this._isLoaded) {
      this.notebookChanged(null);
      return;
    }
    if (change.executions === null) {
      this._showAll();
      return;
    }
    const changed = new Set<string>();
    for (const id of this._shown.known.keys()) {
      const execution = this._host.notebook.executionId(id);
      if (execution !== null && change.executions.has(execution)) {
        changed.add(id);
      }
    }
    this._refresh(changed);
  }

  private _refresh(cellIds: ReadonlySet<string>): void {
    if (cellIds.size > 0) {
      cellIds.forEach(id => this.outputs.refresh(id));
      this._host.cellsShown(cellIds);
    }
  }

  /** Show the outputs of all cells, those that nobody has seen yet, too. */
  async showAllOutputs(): Promise<void> {
    for (const id of this._shown.known.keys()) {
      this.outputs.approach(id);
    }
    await Promise.all([...this._shown.known.keys()].map(id => this.outputs.show(id)));
  }

  /** Show the one cell that a notebook without cells has. */
  ensureCell(): void {
    if (!this._isLoaded || this._shown.cells.length > 0) {
      return;
    }
    const id = UUID.uuid4();
    const empty = { cellType: 'code', source: '', metadata: {}, executionId: null } as const;
    const cell = makeYCell({ id, ...empty, attachments: null }, null, true);
    this._shown.transact(() => this._shown.cells.push([cell]));
    this._shown.phantom = id;
  }

  /** Write the cell that only this tab shows, because it is to be run. */
  materialize(cellId: string): void {
    if (!this._host.notebook.has(cellId)) {
      this._edit(() => this._showPasted(this._push.order()));
    }
  }

  // ---- what waits while the document is replaced ----

  /** From now on edits are not written: the replica is being handed to the server. */
  hold(): void {
    this._base ??= this._host.notebook;
  }

  /**
   * Write what was done meanwhile: into the new document, which is there and not yet shown, or into the old one, when
   * the server did not take it.
   */
  release(): void {
    const base = this._base;
    this._base = null;
    if (base !== null && this._host.writable) {
      this._showPasted(this._push.rebase(base));
      const metadata = this._metadataToPush(base.metadata);
      const { notebook } = this._host;
      notebook.setMetadata(mergeKeys(base.metadata, metadata, notebook.metadata));
      this._host.edited();
    }
  }

  // ---- from the shared model ----

  private readonly _onCells = (events: readonly YEvent[], transaction: Y.Transaction): void => {
    if (this._shown.isOwn(transaction) || !this._isLoaded || transaction.origin === ECHO) {
      return;
    }
    const edits = events.filter(event => this._push.isEdit(event));
    if (edits.length > 0) {
      const isTakenBack = transaction.origin instanceof Y.UndoManager;
      this._edit(() => this._showPasted(this._push.events(edits, isTakenBack)));
    }
  };

  /** A pasted cell brings outputs along that no execution of it made; the document gets those of other notebooks. */
  private _showPasted(cellIds: string[]): void {
    const known = cellIds.filter(id => !this._pasteOutputs(id));
    setTimeout(() => !this._isDisposed && this._refresh(new Set(known)));
  }

  private _pasteOutputs(cellId: string): boolean {
    const cell = this._shown.known.get(cellId);
    const outputs = cell === undefined ? null : yOutputs(cell);
    if (
      cell === undefined ||
      !outputs?.length ||
      this._host.notebook.executionId(cellId) !== null
    ) {
      return false;
    }
    const count = (cell.get('execution_count') ?? null) as Json;
    this._host.outputRequests.pasted(cellId, outputs.toJSON() as Json[], count);
    return true;
  }

  private readonly _onMetadata = (_: readonly YEvent[], transaction: Y.Transaction): void => {
    if (this._shown.isOwn(transaction) || !this._isLoaded) {
      return;
    }
    const wanted = this._metadataToPush();
    if (!sameJson(wanted, this._host.notebook.metadata)) {
      this._edit(() => this._host.notebook.setMetadata(wanted));
    }
  };

  private _metadataToPush(present = this._host.notebook.metadata): JsonObject {
    return metadataToPush(plain(this._shown.metadata), present, this._hasEdits);
  }

  /** Rules 1 and 5. */
  private _edit(write: () => void): void {
    if (this._base !== null) {
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

  private readonly _shown: ShownNotebook;
  private readonly _pull: NotebookPull;
  private readonly _push: NotebookPush;
  private _isDisposed = false;
  private _isLoaded = false;
  private _isBehind = false;
  private _hasEdits = false;
  /** The document that is being handed over. */
  private _base: NotebookDocument | null = null;
}

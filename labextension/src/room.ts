/**
 * One opened notebook: its connection, its documents, and the shared model they are shown in.
 *
 * A room comes back by itself after every loss; what was typed meanwhile goes up then. It shows no dialogs: what there
 * is to say stands in `connection`, `status` and `failure`, and `changed` tells of it.
 */
import type { YNotebook } from '@jupyter/ydoc';
import { ISignal, Signal } from '@lumino/signaling';
import { Heads, Json, JsonObject, Patch } from './automerge.js';
import { AwarenessBridge, IAwarenessHost } from './bridge/awareness.js';
import type { IBridgeHost } from './bridge/host.js';
import type { YCellMap } from './bridge/cells.js';
import { NotebookBridge } from './bridge/notebookBridge.js';
import { ConnectionWatch } from './connectionWatch.js';
import { DirtyMark, ISafety } from './dirtyMark.js';
import { findRoom } from './findRoom.js';
import { CloseCode, FrameType } from './frames.js';
import { NotebookDocument } from './notebookDocument.js';
import { IOutputsHost, OutputRequests } from './outputRequests.js';
import { BlobCache } from './outputs.js';
import type { IRoomServer } from './rest.js';
import { Opening } from './opening.js';
import { Delay, Pacer } from './pacer.js';
import { LoadError, RequestError, Requests } from './requests.js';
import type { IRoomOptions, RoomChange, RoomConnection } from './roomOptions.js';
import { IExecution, IRuntimeChange, RuntimeDocument } from './runtimeDocument.js';
import { IPeer, IStatus } from './status.js';
import { ISyncListener, SyncEngine } from './syncEngine.js';
import { ITransport, ITransportListener } from './transport.js';

/** Keystrokes that come faster than this go up together. */
const PACE_MS = 25;
/** A server that has not confirmed after this long is slow, and that is shown. */
const SLOW_MS = 1_000;

export class Room
  implements ISyncListener, ITransportListener, IBridgeHost, IAwarenessHost, ISafety, IOutputsHost
{
  constructor(options: IRoomOptions) {
    this.path = options.path;
    this.shared = options.shared;
    this._server = options.server;
    this.blobs = new BlobCache(hash => this._server.blob(hash));
    this.engine = new SyncEngine(this);
    this.bridge = new NotebookBridge(this.shared, this);
    this.awareness = new AwarenessBridge(this.shared, this);
    this._transport = options.makeTransport(() => this._roomId);
    this._watch = new ConnectionWatch(this._transport, this.engine, deadlineMs =>
      this.request('get_raw_metadata', { key: 'kernelspec' }, false, deadlineMs)
    );
    this._dirtyMark = new DirtyMark(this.shared, this, write => this.bridge.transact(write));
  }

  path: string;
  readonly shared: YNotebook;
  readonly blobs: BlobCache;
  readonly engine: SyncEngine;
  readonly bridge: NotebookBridge;
  readonly awareness: AwarenessBridge;
  readonly opening = new Opening();
  connection: RoomConnection = 'opening';
  /** Cells that a merge after a long absence could place nowhere else. */
  keptAside: string[] = [];
  /** Of our replica, as they were last said to be in the file. */
  private _savedHeads: Heads = [];
  private _durableHeads: Heads = [];

  get changed(): ISignal<this, RoomChange> {
    return this._changed;
  }

  /** Cells that are new, that show another execution, or whose execution has news; null: all of them. */
  get cellsChanged(): ISignal<this, ReadonlySet<string> | null> {
    return this._cellsChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  get status(): IStatus | null {
    return this.engine.status;
  }

  get peers(): IPeer[] {
    return this.engine.peers;
  }

  get notebook(): NotebookDocument {
    return this.engine.notebook;
  }

  get runtime(): RuntimeDocument {
    return this.engine.runtime;
  }

  get writable(): boolean {
    return this.status?.writable ?? true;
  }

  get isLoading(): boolean {
    return this.status?.phase === 'loading';
  }

  get isOnline(): boolean {
    return this.connection === 'online';
  }

  /** Find the room and connect, as often as it takes. */
  async start(): Promise<void> {
    try {
      const found = await findRoom(this._server, this.path, () => !this._isDisposed);
      if (found !== null && !this._isDisposed) {
        this._roomId = found;
        this._transport.start(this);
      }
    } catch (error) {
      this.opening.fail(error);
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this.engine.flush();
    this._flush.dispose();
    this._unsent.cancel();
    this._watch.dispose();
    this._dirtyMark.dispose();
    this._transport.dispose();
    this._requests.lost();
    this.awareness.dispose();
    this.bridge.dispose();
    this.engine.dispose();
    Signal.clearData(this);
  }

  // ---- requests ----

  /**
   * Ask the room for something.
   *
   * @param fields of the action
   * @param withHeads let the server first see all that was typed here
   */
  request(
    action: string,
    fields: { readonly [name: string]: Json | undefined } = {},
    withHeads = false,
    deadlineMs?: number
  ): Promise<JsonObject> {
    const all = withHeads ? { ...fields, required_heads: this.engine.heads } : fields;
    return this._requests.ask(
      action,
      all,
      body => this.engine.post(FrameType.Request, body),
      deadlineMs
    );
  }

  /** Tell the others where we are. */
  tell(presence: JsonObject): void {
    this.engine.post(FrameType.Presence, presence);
  }

  // ---- what is shown ----

  /** The shared model of a cell. */
  cell(cellId: string): YCellMap | null {
    return this.bridge.cell(cellId);
  }

  /** The execution a cell shows. */
  execution(cellId: string): IExecution | null {
    return this.bridge.execution(cellId);
  }

  /** Somebody wanted to save, and there is no connection. */
  saveFailed(): void {
    this._changed.emit('unsaved');
  }

  /** The page woke up: find out whether the connection did, too. */
  checkConnection(): Promise<void> {
    return this._watch.check();
  }

  // ---- the bridge's host ----

  get focus(): string | null {
    return this.awareness.focus;
  }

  focusLost(next: string | null): void {
    this.awareness.loseFocus(next);
  }

  cellsShown(cellIds: ReadonlySet<string> | null): void {
    this._cellsChanged.emit(cellIds);
  }

  edited(): void {
    this._flush.soon();
  }

  hasOutputs(cellId: string): boolean {
    return (this.execution(cellId)?.outputs.length ?? 0) > 0;
  }

  showOutputs(cellId: string): void {
    this.bridge.outputs.refresh(cellId);
  }

  readonly outputRequests = new OutputRequests(this);

  readonly storeBlob = (data: Uint8Array): Promise<JsonObject | null> =>
    this._server.storeBlob(data).catch(() => null);

  // ---- the transport ----

  opened(): void {
    this.engine.connected(frame => this._transport.send(frame));
    this._setConnection('online');
    this.awareness.repeat();
  }

  received(message: Uint8Array): void {
    try {
      this.engine.receive(message);
    } catch (error) {
      console.error('jupyter_runtimed: a message of the server makes no sense here', error);
      this._transport.reset();
      return;
    }
    this._settle();
  }

  async closed(code: number): Promise<boolean> {
    this.engine.disconnected();
    this._requests.lost();
    this._setConnection('offline');
    switch (code) {
      case CloseCode.NoSuchRoom:
      case CloseCode.RoomClosed:
        return this._reopen();
      case CloseCode.OtherLineage:
        return this._merge();
      case CloseCode.Forbidden:
        // What we may not write is not taken; show what is there.
        this.engine.startAfresh();
        return true;
      default:
        return true;
    }
  }

  // ---- the engine ----

  notebookChanged(patches: Patch[] | null): void {
    if (patches === null) {
      this.bridge.release();
    }
    try {
      this.bridge.notebookChanged(patches);
    } catch (error) {
      // Something that listens to the shared model failed, maybe half-way: compare everything once more.
      console.error('jupyter_runtimed: a change could not be shown', error);
      setTimeout(() => !this._isDisposed && this.bridge.notebookChanged(null));
    }
    this._showPeers();
  }

  runtimeChanged(change: IRuntimeChange): void {
    this.bridge.runtimeChanged(change);
    this._changed.emit('runtime');
    if (change.kernel) {
      this._changed.emit('kernel');
    }
  }

  statusChanged(status: IStatus): void {
    if (this._serverPath !== null && status.path !== null && status.path !== this._serverPath) {
      this.path = status.path; // renamed; at first it may only be another spelling of ours
    }
    this._serverPath = status.path;
    if (status.savedHeads.length > 0 && this.notebook.replica.contains(status.savedHeads)) {
      this._savedHeads = status.savedHeads;
    }
    if (status.durableHeads.length > 0 && this.notebook.replica.contains(status.durableHeads)) {
      this._durableHeads = status.durableHeads;
    }
    this._changed.emit('status');
  }

  peersChanged(): void {
    this._showPeers();
    this._changed.emit('peers');
  }

  confirmationChanged(): void {
    this._dirtyMark.settleSoon();
    this._changed.emit('confirmation');
  }

  responseReceived(body: unknown): void {
    this._requests.answered(body);
  }

  eventReceived(): void {
    // Widgets talk to their kernel over JupyterLab's own connection.
  }

  /** Say how far the room is there, or why it cannot be. */
  private _settle(): void {
    const status = this.status;
    if (status === null || status.phase === 'failed') {
      if (status !== null) {
        this.opening.fail(new LoadError(status.error?.message));
      }
      return;
    }
    this.bridge.catchUp();
    if (status.phase === 'ready' && this.bridge.isLoaded && this.runtime.exists) {
      this.bridge.ensureCell();
      this.opening.finish();
    } else if (this.bridge.isLoaded && this.notebook.order.length > 0) {
      this.opening.begin();
    }
  }

  private _showPeers(): void {
    try {
      this.awareness.refresh();
    } catch (error) {
      console.error('jupyter_runtimed: carets could not be shown', error);
    }
  }

  private async _reopen(): Promise<boolean> {
    try {
      this._roomId = (await this._server.openRoom(this.path)).roomId;
    } catch {
      // Without the file there is nothing to open; it may come back.
    }
    return true;
  }

  /** The server's notebook has another history: hand over ours, and take its. */
  private async _merge(): Promise<boolean> {
    this.bridge.hold();
    try {
      const replica = this.notebook.replica;
      const said = { saved_heads: this._savedHeads, durable_heads: this._durableHeads };
      this.keptAside = await this._server.merge(this._roomId, replica.save(), said);
      this.engine.startAfresh();
    } catch (error) {
      this.bridge.release(); // what is typed belongs to the replica that is handed over next time
      if (!(error instanceof RequestError) || error.code !== 'disconnected') {
        console.error('jupyter_runtimed: the notebooks could not be merged', error);
      }
    }
    return true;
  }

  private _setConnection(connection: RoomConnection): void {
    this.connection = connection;
    if (connection === 'offline' && this.engine.unconfirmed > 0) {
      this._dirtyMark.set(true);
    }
    this._changed.emit('connection');
  }

  private readonly _flush = new Pacer(() => {
    this.engine.flush();
    this._watch.sent();
    this._dirtyMark.sent();
    this._unsent.start(this.isOnline ? SLOW_MS : 0);
    this._showPeers();
  }, PACE_MS);
  /** What was typed is told of at once while it cannot be sent, and else only if that takes long. */
  private readonly _unsent = new Delay(() => this._changed.emit('confirmation'));
  private readonly _server: IRoomServer;
  private readonly _transport: ITransport;
  private readonly _watch: ConnectionWatch;
  private readonly _dirtyMark: DirtyMark;
  private readonly _requests = new Requests();
  private readonly _changed = new Signal<this, RoomChange>(this);
  private readonly _cellsChanged = new Signal<this, ReadonlySet<string> | null>(this);
  private _roomId = '';
  private _serverPath: string | null = null;
  private _isDisposed = false;
}

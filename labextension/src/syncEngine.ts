/**
 * Both documents of a room, kept level with the server over any number of connections.
 *
 * Bytes come in by `receive`, frames go out through the function given to `connected`; nothing here waits, retries or
 * shows anything, and nothing knows of JupyterLab.
 *
 * 1. The notebook's replica outlives connections, and with it what was edited without one. The runtime document's is
 *    a new one on each connection; the last one is shown until the new one has arrived.
 * 2. A connection begins with fresh sync states and with the server's word: until then nothing is sent.
 * 3. Our edits are sent before any request or presence that is sent after them.
 * 4. A replica of another lineage is never mixed in: `startAfresh` shows the old one until the new one is whole.
 */
import { Heads, Patch, Replica, sameHeads } from './automerge.js';
import { decodeFrame, decodeJson, encodeFrame, encodeJsonFrame, FrameType } from './frames.js';
import { NotebookDocument } from './notebookDocument.js';
import { IRuntimeChange, RuntimeDocument } from './runtimeDocument.js';
import { IPeer, IStatus, Peers, readStatus } from './status.js';
import { SyncedDocument } from './syncedDocument.js';

/** What is told of the server's news, each at once and in the order it came. */
export interface ISyncListener {
  /** Patches, or null when all of it is new; none when only what is not in the document any more has changed. */
  notebookChanged(patches: Patch[] | null): void;
  runtimeChanged(change: IRuntimeChange): void;
  statusChanged(status: IStatus): void;
  peersChanged(): void;
  responseReceived(body: unknown): void;
  eventReceived(body: unknown): void;
  /** The server may have got, or made durable, what we sent. */
  confirmationChanged(): void;
}

export type Send = (frame: Uint8Array) => void;

export class SyncEngine {
  constructor(private readonly _listener: ISyncListener) {
    this.notebook = new NotebookDocument(this._notebookSync.replica);
    this.runtime = new RuntimeDocument(this._runtimeSync.replica);
  }

  /** What is shown. */
  notebook: NotebookDocument;
  runtime: RuntimeDocument;
  status: IStatus | null = null;

  get peers(): IPeer[] {
    return this._peers.others(this.status?.peerId ?? '');
  }

  /** The name of somebody who is, or was, in the room. */
  nameOf(username: string): string {
    return this._peers.nameOf(username);
  }

  /** Heads of the notebook document, what was just typed included. */
  get heads(): string[] {
    return this.notebook.replica.heads;
  }

  /** Whether the server has said that it has everything of ours. */
  get isConfirmed(): boolean {
    return this._confirmed !== null && sameHeads(this._confirmed, this.heads);
  }

  /** Whether the server has said that it has these changes of ours. */
  hasConfirmed(heads: Heads): boolean {
    return this._confirmed !== null && this.notebook.replica.includes(this._confirmed, heads);
  }

  /** How many changes here the server has not yet said to have. */
  get unconfirmed(): number {
    return this._confirmed === null ? 0 : this.notebook.replica.countSince(this._confirmed);
  }

  /** Whether these changes of ours survive the server's death. */
  hasMadeDurable(heads: Heads): boolean {
    const durable = this.status?.durableHeads ?? [];
    const { replica } = this.notebook;
    return !this._isBetween && replica.contains(durable) && replica.includes(durable, heads);
  }

  /** Whether everything of ours survives the server's death. */
  get isDurable(): boolean {
    return this.isConfirmed && this.status !== null && !this._isBetween
      ? sameHeads(this.status.durableHeads, this.heads)
      : false;
  }

  // ---- the connection ----

  connected(send: Send): void {
    this._send = send;
    this._notebookSync = new SyncedDocument(this._notebookSync.replica);
    this._runtimeSync = new SyncedDocument(new Replica());
    this._runtimeEpoch = null;
  }

  disconnected(): void {
    this._send = null;
    this._peers.clear();
    this._listener.peersChanged();
  }

  /**
   * Take a message of the server.
   *
   * Throws when it makes no sense; the connection should be given up then.
   */
  receive(message: Uint8Array): void {
    const frame = decodeFrame(message);
    switch (frame?.type) {
      case FrameType.NotebookSync:
        this._receiveNotebook(frame.payload);
        break;
      case FrameType.RuntimeSync:
        this._receiveRuntime(frame.payload);
        break;
      case FrameType.Status:
        this._receiveStatus(readStatus(decodeJson(frame.payload)));
        break;
      case FrameType.Presence:
        this._peers.receive(decodeJson(frame.payload));
        this._listener.peersChanged();
        break;
      case FrameType.Response:
        this._listener.responseReceived(decodeJson(frame.payload));
        break;
      case FrameType.Event:
        this._listener.eventReceived(decodeJson(frame.payload));
        break;
      default: // of a later protocol
    }
  }

  /** Send what the server lacks, as far as it goes. */
  flush(): void {
    this._flush(this._notebookSync, FrameType.NotebookSync);
    this._flush(this._runtimeSync, FrameType.RuntimeSync);
  }

  /** Send a request or presence, behind our edits; false without a connection. */
  post(type: FrameType.Request | FrameType.Presence, body: object): boolean {
    if (this._send === null) {
      return false;
    }
    this.flush();
    this._send(encodeJsonFrame(type, body));
    return true;
  }

  // ---- another lineage ----

  /** Take the server's history from its beginning; what is shown stays until that has arrived. */
  startAfresh(): void {
    this._notebookSync = new SyncedDocument(new Replica());
    this._confirmed = null;
  }

  dispose(): void {
    this._send = null;
    const replicas = [
      this.notebook.replica,
      this.runtime.replica,
      this._notebookSync.replica,
      this._runtimeSync.replica
    ];
    for (const replica of new Set(replicas)) {
      replica.free();
    }
  }

  private get _isBetween(): boolean {
    return this.notebook.replica !== this._notebookSync.replica;
  }

  private _receiveNotebook(payload: Uint8Array): void {
    const sync = this._notebookSync;
    const before = sync.replica.heads;
    const patches = sync.receive(payload);
    if (this._isBetween) {
      if (sync.replica.heads.length > 0) {
        const old = this.notebook.replica;
        this.notebook = new NotebookDocument(sync.replica);
        this._listener.notebookChanged(null);
        old.free();
      }
    } else if (patches === null || !sameHeads(before, sync.replica.heads)) {
      if (patches === null || patches.some(isStructural)) {
        this.notebook.orderChanged();
      } else if (patches.some(({ path }) => path[2] === 'execution_id')) {
        this.notebook.executionsChanged();
      }
      this._listener.notebookChanged(patches);
    }
    this._flush(sync, FrameType.NotebookSync);
    this._confirm(sync);
  }

  private _receiveRuntime(payload: Uint8Array): void {
    const sync = this._runtimeSync;
    const patches = sync.receive(payload);
    if (this.runtime.replica !== sync.replica) {
      if (sync.replica.heads.length > 0) {
        const old = this.runtime.replica;
        this.runtime = new RuntimeDocument(sync.replica);
        this._listener.runtimeChanged(this.runtime.update(null));
        old.free();
      }
    } else if (patches === null || patches.length > 0) {
      this._listener.runtimeChanged(this.runtime.update(patches));
    }
    this._flush(sync, FrameType.RuntimeSync);
  }

  private _receiveStatus(status: IStatus): void {
    this.status = status;
    if (this._runtimeEpoch !== null && this._runtimeEpoch !== status.runtimeEpoch) {
      // Renewed under a standing connection: what has come on it was of the old one.
      this._runtimeSync = new SyncedDocument(new Replica());
    }
    this._runtimeEpoch = status.runtimeEpoch;
    this._listener.statusChanged(status);
    this._listener.confirmationChanged();
  }

  private _flush(sync: SyncedDocument, type: FrameType): void {
    while (this._send !== null) {
      const message = sync.outgoing();
      if (message === null) {
        return;
      }
      this._send(encodeFrame(type, message));
    }
  }

  /** What the server says it has, as soon as all of that is here. */
  private _confirm({ replica, told }: SyncedDocument): void {
    if (told === null || !replica.contains(told)) {
      return;
    }
    if (this._confirmed === null || !sameHeads(this._confirmed, told)) {
      this._confirmed = told;
      this._listener.confirmationChanged();
    }
  }

  private _send: Send | null = null;
  private _notebookSync = new SyncedDocument(new Replica());
  private _runtimeSync = new SyncedDocument(new Replica());
  private _runtimeEpoch: string | null = null;
  private _confirmed: readonly string[] | null = null;
  private readonly _peers = new Peers();
}

/** Whether a patch of the notebook may touch which cells there are, or their order. */
function isStructural({ path }: Patch): boolean {
  return path[0] === 'cells' && (path.length <= 2 || path[2] === 'position');
}

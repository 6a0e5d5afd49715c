/** What the server says of a room besides its documents: status, presence, answers. Read leniently. */
import { Heads, JsonObject } from './automerge.js';
import { isObject } from './notebookDocument.js';

export interface IStatus {
  readonly phase: 'loading' | 'ready' | 'failed';
  /** Cells that are there, and cells in all as far as is known. */
  readonly done: number;
  readonly total: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly path: string | null;
  readonly peerId: string;
  readonly writable: boolean;
  readonly executable: boolean;
  /** The file lacks something, be it an output. */
  readonly dirty: boolean;
  readonly notebookEpoch: string;
  readonly runtimeEpoch: string;
  readonly durableHeads: Heads;
  readonly savedHeads: Heads;
  readonly lastSaved: string | null;
  /** The server saves by itself. */
  readonly autosave: boolean;
}

export interface IUser {
  readonly username: string;
  readonly name: string;
  readonly color: string | null;
  readonly avatarUrl: string | null;
}

/** Offsets in code points, or Automerge cursors. */
export interface IRemoteCursor {
  readonly cellId: string;
  readonly anchor: number | string;
  readonly head: number | string;
}

export interface IPeer {
  readonly peerId: string;
  readonly user: IUser;
  readonly cursor: IRemoteCursor | null;
  readonly focus: string | null;
}

export interface IServerError {
  readonly code: string;
  readonly message: string;
}

export function readStatus(body: unknown): IStatus {
  const fields = isObject(body) ? body : {};
  const load = isObject(fields.load) ? fields.load : {};
  const epochs = isObject(fields.epochs) ? fields.epochs : {};
  const phase = load.phase;
  return {
    phase: phase === 'loading' || phase === 'failed' ? phase : 'ready',
    done: typeof load.done === 'number' ? load.done : 0,
    total: typeof load.total === 'number' ? load.total : 0,
    error: isObject(load.error) ? readError(load.error) : null,
    path: typeof fields.path === 'string' ? fields.path : null,
    peerId: String(fields.peer_id ?? ''),
    writable: fields.writable !== false,
    executable: fields.executable !== false,
    dirty: fields.dirty === true,
    notebookEpoch: String(epochs.notebook ?? ''),
    runtimeEpoch: String(epochs.runtime ?? ''),
    durableHeads: readHeads(fields.durable_heads),
    savedHeads: readHeads(fields.saved_heads),
    lastSaved: typeof fields.last_saved === 'string' ? fields.last_saved : null,
    autosave: fields.autosave !== false
  };
}

export function readError(body: unknown): IServerError {
  const fields = isObject(body) ? body : {};
  return {
    code: typeof fields.code === 'string' ? fields.code : 'internal',
    message: typeof fields.message === 'string' ? fields.message : 'The server gave no reason.'
  };
}

function readHeads(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(head => typeof head === 'string') : [];
}

function readPeer(peerId: string, body: JsonObject): IPeer {
  const user = isObject(body.user) ? body.user : {};
  const username = String(user.username ?? peerId);
  const cursor = body.cursor;
  return {
    peerId,
    user: {
      username,
      name: String(user.name ?? user.display_name ?? username),
      color: typeof user.color === 'string' ? user.color : null,
      avatarUrl: typeof user.avatar_url === 'string' ? user.avatar_url : null
    },
    cursor: isObject(cursor) ? readCursor(cursor) : null,
    focus: typeof body.focus === 'string' ? body.focus : null
  };
}

function readCursor(body: JsonObject): IRemoteCursor | null {
  const { cell_id: cellId, anchor, head } = body;
  return typeof cellId === 'string' && isPlace(anchor) && isPlace(head)
    ? { cellId, anchor, head }
    : null;
}

function isPlace(value: unknown): value is number | string {
  return typeof value === 'number' || typeof value === 'string';
}

/** Who is in a room. */
export class Peers {
  /** Take a presence frame: everybody, one, or one who left. */
  receive(body: unknown): void {
    if (!isObject(body)) {
      return;
    }
    if (isObject(body.peers)) {
      this._peers.clear();
      for (const [peerId, peer] of Object.entries(body.peers)) {
        this._add(readPeer(peerId, isObject(peer) ? peer : {}));
      }
    } else if (typeof body.peer_id === 'string') {
      if (body.left === true) {
        this._peers.delete(body.peer_id);
      } else {
        this._add(readPeer(body.peer_id, body));
      }
    }
  }

  clear(): void {
    this._peers.clear();
  }

  others(ownPeerId: string): IPeer[] {
    return [...this._peers.values()].filter(peer => peer.peerId !== ownPeerId);
  }

  /** The name of somebody who is, or was, here. */
  nameOf(username: string): string {
    return this._names.get(username) ?? username;
  }

  private _add(peer: IPeer): void {
    this._peers.set(peer.peerId, peer);
    this._names.set(peer.user.username, peer.user.name);
  }

  private readonly _peers = new Map<string, IPeer>();
  private readonly _names = new Map<string, string>();
}

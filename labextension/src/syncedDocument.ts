/**
 * One document over one connection: a replica, its sync state, and what the server has said it has. Mirrors
 * `client/synced.py`.
 *
 * The engine's protocol walks the whole history for each message it is told of. Where both sides are level there is
 * no need for it: changes that come are put into the document, and ours are sent as they are. The engine speaks at the
 * beginning of a connection, and whenever the two are not level.
 *
 * Of the server's own changes nothing is said: what it has sent it knows that we have, for a connection loses nothing.
 */
import { Heads, ISyncState, Patch, Replica, sameHeads } from './automerge.js';
import { acknowledgement, ISyncMessage, readSyncMessage, writeChanges } from './syncMessage.js';

export class SyncedDocument {
  constructor(readonly replica: Replica) {
    this._state = replica.newSyncState();
  }

  /** The server's heads as of its last message; null before the first, and until then there is nothing to say. */
  get told(): Heads | null {
    return this._told;
  }

  /**
   * Take the server's sync message.
   *
   * @returns what it changed; null when the document came into being by it, so that all of it is new
   */
  receive(payload: Uint8Array): Patch[] | null {
    const message = readSyncMessage(payload);
    const patches = this._take(message, payload);
    this._told = message.heads;
    if (sameHeads(message.heads, this.replica.heads)) {
      this._sent = message.heads;
    }
    return patches;
  }

  /** The next message for the server; null when there is nothing to say. */
  outgoing(): Uint8Array | null {
    const told = this._told;
    if (told === null) {
      return null;
    }
    if (this._hasSpoken && this.replica.isInEngine) {
      if (sameHeads(told, this.replica.heads)) {
        return null;
      }
      if (this._sent !== null) {
        return this._news(told, this._sent);
      }
    }
    const message = this.replica.generate(this._engage());
    this._hasSpoken ||= message !== null;
    return message;
  }

  private _take(message: ISyncMessage, payload: Uint8Array): Patch[] | null {
    const news = this._canFollow(message) ? this.replica.apply(message.changes) : null;
    if (news !== null && this.replica.contains(message.heads)) {
      this._isBehind = true;
      return news;
    }
    this._sent = null;
    const more = this.replica.receive(this._engage(), payload);
    return more && [...(news ?? []), ...more];
  }

  /** Whether a message may be one of a server that knows what we have: it asks for nothing, and is not the first. */
  private _canFollow({ needs }: ISyncMessage): boolean {
    const { replica } = this;
    return this._told !== null && !needs && replica.isInEngine && replica.heads.length > 0;
  }

  /** Our changes since we had sent all of them, or null when there are none. */
  private _news(told: Heads, sent: Heads): Uint8Array | null {
    const changes = this.replica.changesSince([...told, ...sent]);
    const { heads } = this.replica;
    this._sent = heads;
    this._isBehind = true;
    return changes.length > 0 ? writeChanges(heads, told, changes) : null;
  }

  /** The engine's sync state, brought to where we and the server were level. */
  private _engage(): ISyncState {
    if (this._isBehind && this._told !== null) {
      this.replica.receive(this._state, acknowledgement(this._told));
    }
    this._isBehind = false;
    return this._state;
  }

  private readonly _state: ISyncState;
  private _told: Heads | null = null;
  /** Our heads when all of ours was last sent; null while only the engine knows what has to be. */
  private _sent: Heads | null = null;
  private _hasSpoken = false;
  /** Whether the engine's sync state has not heard of what came, or went, without it. */
  private _isBehind = false;
}

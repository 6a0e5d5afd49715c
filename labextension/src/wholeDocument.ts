/**
 * A document that came whole from the server and is as it came: what it says, its bytes, and what is to be said about
 * it to the server. It is not in the engine, which needs a second and a hundred megabytes for a megabyte of source.
 */
import { openDocument } from './documentChunk.js';
import { PlainDocument } from './plainDocument.js';
import { acknowledgement, ISyncMessage } from './syncMessage.js';

export class WholeDocument<State> {
  private constructor(
    readonly chunk: Uint8Array,
    readonly document: PlainDocument,
    private _state: State,
    private _message: ISyncMessage
  ) {}

  /** What a message brings, if that is a whole document; null for changes, and for what only the engine can read. */
  static of<State>(state: State, message: ISyncMessage): WholeDocument<State> | null {
    const [chunk] = message.changes;
    if (!message.hasChunks || message.changes.length !== 1) {
      return null;
    }
    try {
      const opened = openDocument(chunk);
      return opened && new WholeDocument(chunk, new PlainDocument(opened), state, message);
    } catch {
      return null; // the engine knows better, or says what is wrong
    }
  }

  get heads(): string[] {
    return [...this.document.heads];
  }

  /**
   * Take a message of the other side.
   *
   * @returns whether it has no news of changes that are not here
   */
  hears(state: State, message: ISyncMessage): boolean {
    if (message.changes.length > 0 || !isSame(message.heads, this.document.heads)) {
      return false;
    }
    this._isAnswered &&= this._state === state;
    this._state = state;
    this._message = message;
    return true;
  }

  /** What to say to the other side; null when it was said. */
  answer(): Uint8Array | null {
    const isAnswered = this._isAnswered;
    this._isAnswered = true;
    return isAnswered ? null : acknowledgement(this.document.heads);
  }

  /** Whether what was heard and said was on the connection of this state. */
  isOf(state: State): boolean {
    return this._state === state;
  }

  /** The last message of the other side, without the document: whoever takes over here should hear it. */
  get heard(): readonly [State, Uint8Array] {
    return [this._state, this._message.header];
  }

  private _isAnswered = false;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every(head => b.includes(head));
}

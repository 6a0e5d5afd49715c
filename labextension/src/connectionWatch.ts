/** Finds connections that look open and carry nothing any more, and gives them up. */
import { Heads } from './automerge.js';
import { RequestError } from './requests.js';
import { ITransport } from './transport.js';

/** What the server has not confirmed after this long is on a connection that is dead. */
const CONFIRM_DEADLINE_MS = 20_000;
/** A page that woke up asks whether its connection still lives, and waits this long for the answer. */
const PING_DEADLINE_MS = 5_000;

export interface IWatched {
  /** What was typed here up to now. */
  readonly heads: Heads;
  /** Whether the server has said that it has this of ours. */
  hasConfirmed(heads: Heads): boolean;
}

export class ConnectionWatch {
  /**
   * @param ping asks the server for anything; rejected with `no_answer` after the deadline
   */
  constructor(
    private readonly _transport: ITransport,
    private readonly _watched: IWatched,
    private readonly _ping: (deadlineMs: number) => Promise<unknown>
  ) {}

  /** Edits went to the server; that it has them should come back, whatever is typed meanwhile. */
  sent(): void {
    if (this._timer !== undefined) {
      return;
    }
    const heads = this._watched.heads;
    this._timer = setTimeout(() => {
      this._timer = undefined;
      if (!this._transport.isOpen) {
        return; // all of it is sent anew when it is
      }
      if (!this._watched.hasConfirmed(heads)) {
        this._transport.reset();
      } else if (!this._watched.hasConfirmed(this._watched.heads)) {
        this.sent();
      }
    }, CONFIRM_DEADLINE_MS);
  }

  /** The page woke up: find out whether the connection did, too. */
  async check(): Promise<void> {
    if (!this._transport.isOpen) {
      return;
    }
    try {
      await this._ping(PING_DEADLINE_MS);
    } catch (error) {
      if (error instanceof RequestError && error.code === 'no_answer') {
        this._transport.reset();
      }
    }
  }

  dispose(): void {
    clearTimeout(this._timer);
  }

  private _timer: ReturnType<typeof setTimeout> | undefined;
}

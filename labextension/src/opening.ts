/** How far the opening of a room has come: nothing yet, something to show, all of it, or a failure. */
import { PromiseDelegate } from '@lumino/coreutils';

export class Opening {
  constructor() {
    // Whoever waits hears of a failure.
    this._begun.promise.catch(() => undefined);
    this._complete.promise.catch(() => undefined);
  }

  /** Fulfilled once there is something to show; rejected when it fails before that. */
  get begun(): Promise<void> {
    return this._begun.promise;
  }

  /** Fulfilled once all cells and outputs are there; rejected when it fails, be it after something was shown. */
  get complete(): Promise<void> {
    return this._complete.promise;
  }

  begin(): void {
    this._begun.resolve();
  }

  finish(): void {
    this._begun.resolve();
    this._complete.resolve();
  }

  fail(error: unknown): void {
    this._begun.reject(error);
    this._complete.reject(error);
  }

  private readonly _begun = new PromiseDelegate<void>();
  private readonly _complete = new PromiseDelegate<void>();
}

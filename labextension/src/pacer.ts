/** When something is done that is asked for often. */

/** Calls a function soon after it is asked for, and not too often. */
export class Pacer {
  /**
   * @param act what is to be done
   * @param paceMs requests that come faster than this are answered together
   */
  constructor(
    private readonly _act: () => void,
    private readonly _paceMs: number
  ) {}

  /** Act at the end of this turn, or when the pace allows it. */
  soon(): void {
    if (this._isDue || this._isDisposed) {
      return;
    }
    this._isDue = true;
    const wait = this._last + this._paceMs - performance.now();
    if (wait > 0) {
      this._timer = setTimeout(this._run, wait);
    } else {
      // A timer would let the page be laid out and painted first.
      queueMicrotask(this._run);
    }
  }

  dispose(): void {
    this._isDisposed = true;
    clearTimeout(this._timer);
  }

  private readonly _run = (): void => {
    this._isDue = false;
    if (!this._isDisposed) {
      this._last = performance.now();
      this._act();
    }
  };

  private _last = Number.NEGATIVE_INFINITY;
  private _isDue = false;
  private _isDisposed = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

/** Calls a function once, some time after it is asked for; who asks again meanwhile changes nothing. */
export class Delay {
  constructor(private readonly _act: () => void) {}

  start(ms: number): void {
    this._timer ??= setTimeout(() => {
      this._timer = undefined;
      this._act();
    }, ms);
  }

  cancel(): void {
    clearTimeout(this._timer);
    this._timer = undefined;
  }

  private _timer: ReturnType<typeof setTimeout> | undefined;
}

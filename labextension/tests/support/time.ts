/** Time that stands still until the test moves it: `setTimeout`, `clearTimeout` and `performance.now` of this process. */

interface ITimer {
  readonly at: number;
  readonly call: () => void;
}

export class ManualTime {
  constructor() {
    globalThis.setTimeout = ((call: () => void, ms = 0) => {
      this._timers.set(++this._last, { at: this._now + ms, call });
      return this._last;
    }) as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((id: number | undefined) => {
      if (!this._timers.delete(id as number)) {
        this._clearTimeout(id);
      }
    }) as typeof clearTimeout;
    performance.now = () => this._began + this._now;
  }

  /** Let time pass; what is due is called at its moment. */
  tick(ms: number): void {
    const end = this._now + ms;
    for (;;) {
      const due = [...this._timers].filter(([, { at }]) => at <= end);
      if (due.length === 0) {
        this._now = end;
        return;
      }
      const [id, { at, call }] = due.reduce((a, b) => (b[1].at < a[1].at ? b : a));
      this._timers.delete(id);
      this._now = Math.max(this._now, at);
      call();
    }
  }

  /** Give the process its own time back. */
  restore(): void {
    globalThis.setTimeout = this._setTimeout;
    globalThis.clearTimeout = this._clearTimeout;
    performance.now = this._performanceNow;
  }

  private readonly _setTimeout = globalThis.setTimeout;
  private readonly _clearTimeout = globalThis.clearTimeout;
  private readonly _performanceNow = performance.now.bind(performance);
  private readonly _began = performance.now();
  private readonly _timers = new Map<number, ITimer>();
  private _last = 0;
  private _now = 0;
}

/**
 * JupyterLab's mark of an unsaved notebook, which means here: something would be lost with this tab.
 *
 * JupyterLab sets it at every edit, and asks before it closes what is marked; but an edit is with the server a moment
 * later, and the server saves. So it is taken away at once while all is well, and stays while it is not.
 */
import type { YNotebook } from '@jupyter/ydoc';
import { Heads } from './automerge.js';

export interface ISafety {
  readonly isOnline: boolean;
  readonly writable: boolean;
  readonly engine: {
    /** What was typed here up to now. */
    readonly heads: Heads;
    /** Whether all of it survives the server's death, as far as is known. */
    readonly isDurable: boolean;
    /** Whether this much of it does. */
    hasMadeDurable(heads: Heads): boolean;
  };
}

/** What the server has not made durable after this long may be lost with the tab. */
const LATE_MS = 2_000;
/** The mark does not blink. */
const SETTLE_MS = 300;

export class DirtyMark {
  /**
   * @param transact writes to the shared model what nobody edited
   */
  constructor(
    private readonly _shared: YNotebook,
    private readonly _safety: ISafety,
    private readonly _transact: (write: () => void) => void
  ) {
    _shared.ystate.observe(this._onState);
  }

  /** Edits went to the server: it may take a moment until they are safe. */
  sent(): void {
    if (this._lateTimer !== undefined) {
      return;
    }
    const { heads } = this._safety.engine;
    this._lateTimer = setTimeout(() => {
      this._lateTimer = undefined;
      if (!this._safety.engine.hasMadeDurable(heads)) {
        this._isLate = true;
        this.set(true);
      } else if (!this._safety.engine.isDurable) {
        this.sent();
      }
    }, LATE_MS);
  }

  /** What is safe may have changed. */
  settleSoon(): void {
    if (!this._shared.dirty || this._settleTimer !== undefined) {
      return;
    }
    this._settleTimer = setTimeout(() => {
      this._settleTimer = undefined;
      if (this._safety.engine.isDurable || !this._safety.writable) {
        this._isLate = false;
        this.set(false);
      }
    }, SETTLE_MS);
  }

  set(isDirty: boolean): void {
    this._transact(() => this._shared.setState('dirty', isDirty));
  }

  dispose(): void {
    this._shared.ystate.unobserve(this._onState);
    clearTimeout(this._lateTimer);
    clearTimeout(this._settleTimer);
  }

  private readonly _onState = (): void => {
    if (!this._shared.dirty) {
      return;
    }
    if (this._safety.isOnline && !this._isLate) {
      this.set(false);
    } else {
      this.settleSoon();
    }
  };

  private _isLate = false;
  private _lateTimer: ReturnType<typeof setTimeout> | undefined;
  private _settleTimer: ReturnType<typeof setTimeout> | undefined;
}

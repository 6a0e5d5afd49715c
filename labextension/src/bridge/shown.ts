/** The notebook as it is shown: a YNotebook, and its cells by id. */
import type { YNotebook } from '@jupyter/ydoc';
import * as Y from 'yjs';
import { YCellMap, YCells, yId } from './cells.js';

export class ShownNotebook {
  constructor(readonly shared: YNotebook) {
    this.cells = shared.ydoc.getArray('cells') as unknown as YCells;
  }

  readonly cells: YCells;

  /** The one cell of a notebook without cells: shown, and not in the document. */
  phantom: string | null = null;

  /** Its cells when it was last in step with the document. */
  get known(): ReadonlyMap<string, YCellMap> {
    return this._known;
  }

  /** Whether cells came, went or moved since then. */
  get isRearranged(): boolean {
    const cells = this.cells.toArray().filter(cell => yId(cell) !== this.phantom);
    return cells.length !== this._known.size || cells.some(cell => this.cell(yId(cell)) !== cell);
  }

  get metadata(): Y.Map<unknown> {
    return this.shared.ymeta.get('metadata') as Y.Map<unknown>;
  }

  cell(id: string): YCellMap | null {
    return this._known.get(id) ?? null;
  }

  /** Write what nobody edited here; see `isOwn`. */
  readonly transact = (write: () => void): void => {
    this.shared.ydoc.transact(write, this);
  };

  /** Whether a transaction is one of `transact`. */
  isOwn(transaction: Y.Transaction): boolean {
    return transaction.origin === this;
  }

  /** Take note of the cells there are now: it is in step with the document. */
  remember(): void {
    this._known = new Map(this.cells.toArray().map(cell => [yId(cell), cell]));
    if (this.phantom !== null && !this._known.has(this.phantom)) {
      this.phantom = null;
    }
  }

  private _known: ReadonlyMap<string, YCellMap> = new Map();
}

/** Large outputs are fetched when their cell is at most about one page away from what is seen. */
import { Cell } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import { Room } from '../room.js';

const MARGIN = '100% 0px';

export class LazyOutputs {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _room: Room
  ) {
    const { node, model } = _panel.content;
    const root = node.querySelector('.jp-WindowedPanel-outer') ?? node;
    this._observer = new IntersectionObserver(this._onSeen, { root, rootMargin: MARGIN });
    model?.cells.changed.connect(this._observe, this);
    _panel.disposed.connect(() => this._observer.disconnect());
    this._observe();
  }

  private _observe(): void {
    for (const cell of this._panel.content.widgets) {
      if (!this._cells.has(cell.node)) {
        this._cells.set(cell.node, cell);
        this._observer.observe(cell.node);
      }
    }
  }

  private readonly _onSeen = (entries: readonly IntersectionObserverEntry[]): void => {
    for (const { target, isIntersecting } of entries) {
      const cell = this._cells.get(target);
      if (cell === undefined || !isIntersecting) {
        continue;
      }
      this._observer.unobserve(target);
      if (!cell.isDisposed && !this._room.isDisposed) {
        this._room.bridge.outputs.approach(cell.model.id);
      }
    }
  };

  private readonly _observer: IntersectionObserver;
  private readonly _cells = new WeakMap<Element, Cell>();
}

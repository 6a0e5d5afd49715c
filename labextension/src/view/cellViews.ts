/**
 * The cells of a panel, for what is drawn at them.
 *
 * Tells of cells that are new in the panel, and of those that show another execution, or whose execution has news; so
 * what somebody types costs nothing here, however many cells there are.
 */
import { Cell } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';
import { Room } from '../room.js';

export class CellViews {
  /**
   * @param show draws at cells; called in the same turn as the news, for cells that are there already in the first
   */
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _room: Room,
    private readonly _show: (cells: readonly Cell[]) => void
  ) {
    _panel.content.model?.cells.changed.connect(this._onCells, this);
    _room.cellsChanged.connect(this._onNews, this);
    _panel.disposed.connect(() => Signal.clearData(this));
    this._onCells();
  }

  get all(): readonly Cell[] {
    return [...this._cells.values()];
  }

  get(id: string): Cell | undefined {
    return this._cells.get(id);
  }

  private _onCells(): void {
    const before = new Set(this._cells.values());
    this._list();
    // What an edit brought here is written into the document, maybe by another id, at the end of this turn.
    const fresh = this.all.filter(cell => !before.has(cell));
    queueMicrotask(() => {
      if (!this._panel.isDisposed) {
        this._list();
        this._tell(fresh);
      }
    });
  }

  private _list(): void {
    this._cells = new Map(this._panel.content.widgets.map(cell => [cell.model.id, cell]));
  }

  private _onNews(_: Room, ids: ReadonlySet<string> | null): void {
    this._tell(ids === null ? this.all : [...ids].flatMap(id => this._cells.get(id) ?? []));
  }

  private _tell(cells: readonly Cell[]): void {
    const present = cells.filter(cell => !cell.isDisposed);
    if (present.length > 0 && !this._room.isDisposed) {
      this._show(present);
    }
  }

  private _cells: ReadonlyMap<string, Cell> = new Map();
}

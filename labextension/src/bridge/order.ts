/** Which cells there are, and in what order, both ways. */
import { NotebookDocument } from '../notebookDocument.js';
import { isBefore, longestIncreasing } from '../sequence.js';
import { YCellMap, yCellType, YCells, yId } from './cells.js';

export interface IShownCells {
  readonly cells: YCells;
  readonly transact: (write: () => void) => void;
}

/**
 * Give the shared model the document's cells in the document's order.
 *
 * A shared model cannot move a cell, only delete and insert it, and JupyterLab's list of cells knows nothing else
 * either: a cell is drawn anew even in the tab of who moves it. So only cells that really moved, or changed their
 * type, are made anew, and the caret stays in all others. When somebody else moves the very cell this user is in, the
 * cells around it are made anew instead, unless they are many.
 *
 * Neighbours that come, or go, do so in a transaction of their own: JupyterLab looks for the active cell after each
 * step of a transaction, where it stands at the end of it, and so loses it over a transaction of two steps.
 *
 * @param moved cells that are known to have been moved, so that not their neighbours are made anew
 * @param focus the cell this user is in
 * @param make makes a cell that is missing
 */
export function pullOrder(
  { cells, transact }: IShownCells,
  document: NotebookDocument,
  moved: ReadonlySet<string>,
  focus: string | null,
  make: (id: string) => YCellMap
): void {
  const wanted = document.order;
  const places = new Map(wanted.map((id, index) => [id, String(index).padStart(8, '0')]));
  const present = cells.toArray();
  const seen = new Set<string>();
  const pairs = present.map((cell): [string, string] => {
    const id = yId(cell);
    const isRight =
      !seen.has(id) &&
      yCellType(cell) === document.cellType(id) &&
      (id === focus || !moved.has(id));
    seen.add(id);
    return [(isRight && places.get(id)) || '', ''];
  });
  const stays = staying(
    pairs,
    focus === null ? -1 : present.findIndex(cell => yId(cell) === focus)
  );
  for (let index = present.length - 1; index >= 0; index--) {
    const end = index + 1;
    while (index >= 0 && !stays.has(index)) {
      index--;
    }
    if (index + 1 < end) {
      const start = index + 1;
      transact(() => cells.delete(start, end - start));
    }
  }
  const left = new Set(present.filter((_, index) => stays.has(index)).map(yId));
  for (let index = 0; index < wanted.length; index++) {
    const start = index;
    const made: YCellMap[] = [];
    while (index < wanted.length && !left.has(wanted[index])) {
      made.push(make(wanted[index]));
      index++;
    }
    if (made.length > 0) {
      transact(() => cells.insert(start, made));
    }
  }
}

/** So many cells are made anew for the sake of the one this user is in. */
const MADE_FOR_FOCUS = 20;

/** The indexes of the cells that need not be made anew; the one that has the focus if that is possible. */
function staying(pairs: [string, string][], focus: number): Set<number> {
  const most = longestIncreasing(pairs);
  if (focus < 0 || most.has(focus) || pairs[focus][0] === '') {
    return most;
  }
  const kept = pairs[focus];
  const around = pairs.map((pair, index): [string, string] =>
    index === focus || isBefore(pair, kept) === index < focus ? pair : ['', '']
  );
  const others = longestIncreasing(around);
  return most.size - others.size <= MADE_FOR_FOCUS ? others : most;
}

/**
 * Give the document the shared model's cells in the shared model's order.
 *
 * JupyterLab moves a cell, or changes its type, by deleting it and inserting a copy with the same id. By that id the
 * document keeps the cell.
 *
 * @param known the cells of the shared model before, by id
 * @param add writes a cell that is new
 * @param update writes what may differ in a cell that was made anew
 */
export function pushOrder(
  cells: YCells,
  document: NotebookDocument,
  known: ReadonlyMap<string, YCellMap>,
  add: (id: string, cell: YCellMap) => void,
  update: (id: string, cell: YCellMap) => void
): void {
  const present = cells.toArray();
  const ids = present.map(yId);
  const kept = new Set(ids);
  for (const id of known.keys()) {
    if (!kept.has(id)) {
      document.deleteCell(id);
    }
  }
  const moved = new Set<string>();
  present.forEach((cell, index) => {
    const id = ids[index];
    if (!document.has(id)) {
      add(id, cell);
      moved.add(id);
    } else if (known.get(id) !== cell) {
      update(id, cell);
      moved.add(id);
    }
  });
  document.arrange(
    placed(
      document.order,
      ids.filter(id => document.has(id)),
      moved
    ),
    moved
  );
}

/** The cells that were moved, each behind the one it stands behind here; all others as the document has them. */
function placed(
  order: readonly string[],
  ids: readonly string[],
  moved: ReadonlySet<string>
): string[] {
  const result = order.filter(id => !moved.has(id));
  ids.forEach((id, index) => {
    if (moved.has(id)) {
      result.splice(index === 0 ? 0 : result.indexOf(ids[index - 1]) + 1, 0, id);
    }
  });
  return result;
}

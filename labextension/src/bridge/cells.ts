/** Cells of the shared model JupyterLab shows: how they are made and read. */
import * as Y from 'yjs';
import { Json, JsonObject } from '../automerge.js';
import { Attachments, CellType, ICell, isObject } from '../notebookDocument.js';

/** A cell of a YNotebook. */
export type YCellMap = Y.Map<unknown>;
export type YCells = Y.Array<YCellMap>;

/**
 * Make a cell for the shared model, without outputs: those come from the runtime document.
 *
 * @param isTrusted whether what the cell shows may run scripts in this tab
 */
export function makeYCell(
  cell: ICell,
  attachments: JsonObject | null,
  isTrusted: boolean
): YCellMap {
  const map: YCellMap = new Y.Map();
  const metadata = new Y.Map<unknown>(Object.entries(cell.metadata));
  if (cell.cellType === 'code' && isTrusted) {
    metadata.set('trusted', true);
  }
  map.set('id', cell.id);
  map.set('cell_type', cell.cellType);
  map.set('source', new Y.Text(cell.source));
  map.set('metadata', metadata);
  if (cell.cellType === 'code') {
    map.set('execution_count', null);
    map.set('outputs', new Y.Array());
  } else if (attachments !== null) {
    map.set('attachments', attachments);
  }
  return map;
}

export function yId(cell: YCellMap): string {
  return String(cell.get('id'));
}

export function yCellType(cell: YCellMap): CellType {
  return cell.get('cell_type') as CellType;
}

export function ySource(cell: YCellMap): Y.Text {
  return cell.get('source') as Y.Text;
}

export function yMetadata(cell: YCellMap): Y.Map<unknown> {
  return cell.get('metadata') as Y.Map<unknown>;
}

export function yOutputs(cell: YCellMap): Y.Array<Y.Map<unknown>> | null {
  return (cell.get('outputs') as Y.Array<Y.Map<unknown>> | undefined) ?? null;
}

export function yAttachments(cell: YCellMap): Attachments | null {
  const value = cell.get('attachments');
  return isObject(value) ? (value as Attachments) : null;
}

/** The cell an event happened in. */
export function cellOf(event: Y.YEvent<Y.AbstractType<unknown>>, cells: YCells): YCellMap | null {
  let target: Y.AbstractType<unknown> | null = event.target;
  while (target !== null && target.parent !== (cells as unknown)) {
    target = target.parent as Y.AbstractType<unknown> | null;
  }
  return target as YCellMap | null;
}

export function plain(map: Y.Map<unknown>): JsonObject {
  return map.toJSON() as { [key: string]: Json };
}

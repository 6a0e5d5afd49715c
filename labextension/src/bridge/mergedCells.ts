/**
 * Cells that were merged here, and what others were typing in them.
 *
 * JupyterLab merges cells by deleting them and making a new one of their texts. What somebody else has typed in one of
 * them, and has not arrived before that, goes into the deleted cell's text, which nobody sees. So this tab, where the
 * cells were merged, goes on listening to those texts, and carries what arrives to where it belongs: into the new cell,
 * or, when the merge has been taken back, into the cell that is there again.
 *
 * Nobody else carries anything, so nothing is carried twice.
 */
import { NotebookDocument } from '../notebookDocument.js';
import { ObjectId } from '../automerge.js';
import { YCellMap, yId, ySource } from './cells.js';
import { mergeTexts } from './merge.js';

/** JupyterLab joins the texts with one of these. */
const SEPARATORS = ['\n\n', '\n'];
/** Each costs a few microseconds whenever something comes from others. */
const MOST_MERGES = 10;

interface IPart {
  readonly id: string;
  readonly text: ObjectId;
  /** What has been carried, or was merged. */
  source: string;
}

interface IMerge {
  readonly document: NotebookDocument;
  readonly into: string;
  /** Of the merged cell as it was made; it may be gone with a second merge. */
  text: ObjectId | null;
  readonly parts: readonly IPart[];
  readonly separator: string;
}

export class MergedCells {
  /**
   * Look for a merge among cells that are about to be written.
   *
   * @param document as it was before
   * @param present the cells of the shared model
   * @param known those it had before, in order
   */
  expect(
    document: NotebookDocument,
    present: readonly YCellMap[],
    known: ReadonlyMap<string, YCellMap>
  ): void {
    const ids = new Set(present.map(yId));
    const gone = [...known.keys()].filter(id => !ids.has(id) && document.has(id));
    const fresh = present.filter(cell => !known.has(yId(cell)) && !document.has(yId(cell)));
    if (gone.length < 2 || fresh.length !== 1) {
      return;
    }
    const parts = gone.flatMap(id => {
      const text = document.text(id);
      return text === null ? [] : [{ id, text, source: document.source(id) }];
    });
    const wanted = ySource(fresh[0]).toString();
    const separator = SEPARATORS.find(separator => joinedBy(separator, parts) === wanted);
    if (separator !== undefined) {
      this._merges.push({ document, into: yId(fresh[0]), text: null, parts, separator });
      this._merges.splice(0, this._merges.length - MOST_MERGES);
    }
  }

  /** The cells were written. */
  written(): void {
    for (const merge of this._merges) {
      merge.text ??= merge.document.text(merge.into);
    }
  }

  /**
   * Carry what has arrived.
   *
   * @returns the cells it was written into
   */
  carry(document: NotebookDocument): Set<string> {
    // What was merged in another history is not in this one's texts.
    this._merges = this._merges.filter(merge => merge.document === document);
    const written = new Set<string>();
    for (const merge of this._merges) {
      const late = merge.parts.filter(part => document.replica.text(part.text) !== part.source);
      if (late.length > 0) {
        (isTakenBack(merge) ? carryBack(merge, late) : carryOn(merge)).forEach(id =>
          written.add(id)
        );
      }
    }
    return written;
  }

  private _merges: IMerge[] = [];
}

function isTakenBack({ document, into, parts }: IMerge): boolean {
  return !document.has(into) && parts.some(({ id }) => document.has(id));
}

/** Into the cells that are there again. */
function carryBack({ document }: IMerge, late: readonly IPart[]): string[] {
  return late.flatMap(part => {
    const source = document.replica.text(part.text);
    const before = part.source;
    part.source = source;
    if (!document.has(part.id)) {
      return [];
    }
    document.setSource(part.id, mergeTexts(before, source, document.source(part.id)));
    return [part.id];
  });
}

/** Into the merged cell, or, when that was merged with others, into its text, from where it is carried on. */
function carryOn({ document, into, text, parts, separator }: IMerge): string[] {
  const before = joinedBy(separator, parts);
  for (const part of parts) {
    part.source = document.replica.text(part.text);
  }
  const target = document.has(into) ? document.text(into) : text;
  if (target === null) {
    return [];
  }
  const merged = mergeTexts(before, joinedBy(separator, parts), document.replica.text(target));
  document.setText(target, merged);
  return document.has(into) ? [into] : [];
}

function joinedBy(separator: string, parts: readonly IPart[]): string {
  return parts.map(({ source }) => source).join(separator);
}

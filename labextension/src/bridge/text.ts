/** Source text, both ways. Indices are UTF-16 units on both sides. */
import * as Y from 'yjs';
import { ObjectId, Patch, Replica } from '../automerge.js';
import { replacement } from '../notebookDocument.js';

type Delta = readonly { insert?: unknown; delete?: number; retain?: number }[];

/**
 * Write an edit of the shared model into the document.
 *
 * JupyterLab splits a cell, as formatters format it, by giving it a whole new text. Only where that differs is the
 * document written to, so that others' carets stay, and what they are just typing.
 */
export function pushText(replica: Replica, text: ObjectId, delta: Delta): void {
  let index = 0;
  let deleted = 0;
  let inserted = '';
  const write = (): void => {
    if (deleted > 0 && inserted) {
      const before = replica.text(text).slice(index, index + deleted);
      const change = replacement(before, inserted);
      replica.splice(text, index + change.index, change.deleted, change.inserted);
    } else if (deleted > 0 || inserted) {
      replica.splice(text, index, deleted, inserted);
    }
    index += inserted.length;
    [deleted, inserted] = [0, ''];
  };
  for (const step of delta) {
    if (step.retain !== undefined) {
      write();
      index += step.retain;
    } else if (step.delete !== undefined) {
      deleted += step.delete;
    } else if (typeof step.insert === 'string') {
      inserted += step.insert;
    }
  }
  write();
}

/** Write a patch of the document into the shared model; false when it is no edit of characters. */
export function pullText(text: Y.Text, patch: Patch): boolean {
  const index = patch.path[3];
  if (typeof index !== 'number') {
    return false;
  }
  if (patch.action === 'splice') {
    text.insert(index, patch.value);
  } else if (patch.action === 'del') {
    text.delete(index, patch.length ?? 1);
  }
  return true;
}

/** Make a text of the shared model this one. */
export function setText(text: Y.Text, wanted: string): void {
  const { index, deleted, inserted } = replacement(text.toString(), wanted);
  if (inserted) {
    text.insert(index, inserted);
  }
  if (deleted > 0) {
    text.delete(index + inserted.length, deleted);
  }
}

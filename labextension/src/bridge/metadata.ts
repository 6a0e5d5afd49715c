/** Metadata, both ways. `trusted` is this tab's own affair: it is neither sent nor taken away. */
import * as Y from 'yjs';
import { JsonObject } from '../automerge.js';
import { isObject, sameJson } from '../notebookDocument.js';

export function pullMetadata(map: Y.Map<unknown>, wanted: JsonObject): void {
  for (const key of [...map.keys()]) {
    if (!(key in wanted) && key !== 'trusted') {
      map.delete(key);
    }
  }
  for (const [key, value] of Object.entries(wanted)) {
    if (!sameJson(map.get(key), value)) {
      map.set(key, value);
    }
  }
}

/** Keys JupyterLab fills in by itself whenever a kernel starts. */
const AUTOMATIC = ['kernelspec', 'language_info'];

/**
 * The notebook metadata to write, of what the shared model has.
 *
 * Opening a notebook must not change it. So what JupyterLab notes of the kernel counts only when it names another
 * kernel or language than the notebook does; and a notebook that names none gets it with its first edit.
 *
 * @param present what the document has
 * @param hasEdits whether somebody edited here
 */
export function metadataToPush(
  shown: JsonObject,
  present: JsonObject,
  hasEdits: boolean
): JsonObject {
  const wanted = { ...shown };
  for (const key of AUTOMATIC) {
    const before = present[key];
    const after = shown[key];
    const isSame = isObject(before) && isObject(after) && before.name === after.name;
    if (isSame || after === undefined || (before === undefined && !hasEdits)) {
      delete wanted[key];
      if (before !== undefined) {
        wanted[key] = before;
      }
    }
  }
  return wanted;
}

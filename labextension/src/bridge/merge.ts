/** Three ways: what was here, what it is here now, and what others have made of it meanwhile. */
import * as Y from 'yjs';
import { Json } from '../automerge.js';
import { sameJson } from '../notebookDocument.js';
import { setText } from './text.js';

/** A text with what both have done to it; nothing that either has put in is lost. */
export function mergeTexts(base: string, ours: string, theirs: string): string {
  if (ours === base || ours === theirs) {
    return theirs;
  }
  if (theirs === base) {
    return ours;
  }
  const [here, there] = [new Y.Doc(), new Y.Doc()];
  [here.clientID, there.clientID] = [1, 2]; // so that everybody comes to the same
  here.getText().insert(0, base);
  Y.applyUpdate(there, Y.encodeStateAsUpdate(here));
  setText(here.getText(), ours);
  setText(there.getText(), theirs);
  Y.applyUpdate(here, Y.encodeStateAsUpdate(there));
  const merged = here.getText().toString();
  here.destroy();
  there.destroy();
  return merged;
}

type Keys<Value extends Json> = { readonly [key: string]: Value };

/** A map with what both have done to its keys; where both changed one, with what was done here. */
export function mergeKeys<Value extends Json>(
  base: Keys<Value>,
  ours: Keys<Value>,
  theirs: Keys<Value>
): { [key: string]: Value } {
  const merged: { [key: string]: Value } = { ...theirs };
  for (const key of new Set([...Object.keys(base), ...Object.keys(ours)])) {
    if (!(key in ours)) {
      delete merged[key];
    } else if (!(key in base) || !sameJson(base[key], ours[key])) {
      merged[key] = ours[key];
    }
  }
  return merged;
}

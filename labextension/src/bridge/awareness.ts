/**
 * Who is where: presence of the room as awareness of the shared model, which is where editors draw carets from.
 *
 * A place in a text travels as an Automerge cursor, which every peer finds again whatever was typed around it; the
 * shared model's own positions mean nothing outside of their tab.
 */
import type { YNotebook } from '@jupyter/ydoc';
import { JSONExt } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';
import * as Y from 'yjs';
import { JsonObject } from '../automerge.js';
import { isObject, NotebookDocument } from '../notebookDocument.js';
import { IPeer, IRemoteCursor } from '../status.js';
import { YCellMap, yId, ySource } from './cells.js';
import { awarenessUser, clientIdOf, setAwareness } from '../presence.js';

export interface IAwarenessHost {
  readonly notebook: NotebookDocument;
  readonly peers: readonly IPeer[];
  cell(cellId: string): YCellMap | null;
  /** Tell the room where we are. */
  tell(presence: JsonObject): void;
}

/** Carets are told so often. */
const INTERVAL_MS = 50;

export class AwarenessBridge {
  constructor(
    private readonly _shared: YNotebook,
    private readonly _host: IAwarenessHost
  ) {
    _shared.awareness.on('update', this._onUpdate);
  }

  /** The cell this user is in. */
  get focus(): string | null {
    return this._focus;
  }

  set focus(cellId: string | null) {
    if (this._focus !== cellId) {
      this._focus = cellId;
      this._tellSoon();
    }
  }

  /** Others have deleted the cell this user was in; with the one that has its place. */
  readonly focusLost = new Signal<this, string | null>(this);

  loseFocus(next: string | null): void {
    this.focusLost.emit(next);
  }

  /** Say again where we are: a new connection knows nothing of it. */
  repeat(): void {
    this._told = null;
    this._tellSoon();
  }

  /** Draw the others where they are now. */
  refresh(): void {
    const states = new Map<number, JsonObject>();
    for (const peer of this._host.peers) {
      const cursor = peer.cursor && this._toShared(peer.cursor);
      states.set(clientIdOf(peer.peerId), {
        user: awarenessUser(peer.user),
        cursors: cursor ? [cursor] : []
      });
    }
    setAwareness(this._shared.awareness, states, this);
  }

  dispose(): void {
    clearTimeout(this._timer);
    Signal.clearData(this);
    this._shared.awareness.off('update', this._onUpdate);
  }

  private readonly _onUpdate = (_: unknown, origin: unknown): void => {
    if (origin !== this) {
      this._tellSoon();
    }
  };

  private _tellSoon(): void {
    this._timer ??= setTimeout(() => {
      this._timer = undefined;
      const presence = this._presence();
      if (this._told === null || !JSONExt.deepEqual(presence, this._told)) {
        this._told = presence;
        this._host.tell(presence);
      }
    }, INTERVAL_MS);
  }

  private _presence(): JsonObject {
    const presence: JsonObject = {};
    const cursors: unknown = this._shared.awareness.getLocalState()?.cursors;
    const first: unknown = Array.isArray(cursors) ? cursors[cursors.length - 1] : null;
    const anchor = this._toDocument(isObject(first) ? first.anchor : null);
    const head = this._toDocument(isObject(first) ? first.head : null);
    if (anchor !== null && head !== null && anchor.cellId === head.cellId) {
      presence.cursor = { cell_id: head.cellId, anchor: anchor.cursor, head: head.cursor };
    }
    const focus = this._focus ?? head?.cellId ?? null;
    if (focus !== null) {
      presence.focus = focus;
    }
    return presence;
  }

  private _toDocument(position: unknown): { cellId: string; cursor: string } | null {
    if (!isObject(position)) {
      return null;
    }
    const place = Y.createAbsolutePositionFromRelativePosition(
      position as unknown as Y.RelativePosition,
      this._shared.ydoc
    );
    const cell = place?.type.parent;
    if (!place || !(cell instanceof Y.Map)) {
      return null;
    }
    const cellId = yId(cell);
    const text = this._host.notebook.has(cellId) ? this._host.notebook.text(cellId) : null;
    return text === null
      ? null
      : { cellId, cursor: this._host.notebook.replica.cursor(text, place.index) };
  }

  private _toShared({ cellId, anchor, head }: IRemoteCursor): JsonObject | null {
    const cell = this._host.cell(cellId);
    const from = cell && this._relative(cellId, cell, anchor);
    const to = cell && this._relative(cellId, cell, head);
    return from && to ? { anchor: from, head: to, primary: true, empty: anchor === head } : null;
  }

  private _relative(cellId: string, cell: YCellMap, place: number | string): JsonObject | null {
    const text = this._host.notebook.text(cellId);
    const index =
      text === null
        ? null
        : typeof place === 'string'
          ? this._host.notebook.replica.cursorIndex(text, place)
          : utf16Index(ySource(cell).toString(), place);
    if (index === null) {
      return null; // its character is still on the way
    }
    const source = ySource(cell);
    const position = Y.createRelativePositionFromTypeIndex(source, Math.min(index, source.length));
    const { type, tname, item, assoc } = position; // all of them: who reads it tells null from absent
    return { type: idOf(type), tname, item: idOf(item), assoc };
  }

  private _focus: string | null = null;
  private _told: JsonObject | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

function idOf(id: Y.ID | null): JsonObject | null {
  return id && { client: id.client, clock: id.clock };
}

/** An offset in code points as one in UTF-16 units. */
export function utf16Index(text: string, codePoints: number): number {
  let index = 0;
  for (let count = 0; count < codePoints && index < text.length; count++) {
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  }
  return index;
}

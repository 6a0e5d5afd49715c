/** From the shared model into the notebook document: what somebody did to cells here. */
import { UUID } from '@lumino/coreutils';
import * as Y from 'yjs';
import {
  Attachments,
  ICell,
  NotebookDocument,
  sameJson,
  withoutTrust
} from '../notebookDocument.js';
import { Output } from '../outputs.js';
import { AttachmentTranslator } from './attachments.js';
import {
  cellOf,
  plain,
  yAttachments,
  YCellMap,
  yCellType,
  yId,
  yMetadata,
  yOutputs,
  ySource
} from './cells.js';
import { IBridgeHost } from './host.js';
import { mergeKeys, mergeTexts } from './merge.js';
import { MergedCells } from './mergedCells.js';
import { pullMetadata } from './metadata.js';
import { pushOrder } from './order.js';
import { OutputsMemory } from './outputsMemory.js';
import { ShownNotebook } from './shown.js';
import { pushText, setText } from './text.js';

export type YEvent = Y.YEvent<Y.AbstractType<unknown>>;

export class NotebookPush {
  constructor(
    private readonly _shown: ShownNotebook,
    private readonly _host: IBridgeHost,
    private readonly _attachments: AttachmentTranslator,
    private readonly _memory: OutputsMemory
  ) {}

  /** Whether an event is for the document: outputs are not, nor is a mark on the cell that is not there. */
  isEdit(event: YEvent): boolean {
    const cell = cellOf(event, this._shown.cells);
    if (cell === null) {
      return true;
    }
    const field = event.path[1];
    if (field === 'outputs') {
      const outputs = yOutputs(cell);
      if (event.target === (outputs as unknown) && outputs?.length === 0) {
        this._host.outputRequests.cleared(yId(cell));
      }
      return false;
    }
    if (field === undefined) {
      return (event as Y.YMapEvent<unknown>).keysChanged.has('attachments');
    }
    return field === 'source' || (field === 'metadata' && yId(cell) !== this._shown.phantom);
  }

  /**
   * Write edits.
   *
   * @param isTakenBack whether it is an undo, or a redo
   * @returns cells that are new in the shared model, with what they were pasted with
   */
  events(edits: readonly YEvent[], isTakenBack: boolean): string[] {
    let isStructural = false;
    for (const event of edits) {
      const cell = cellOf(event, this._shown.cells);
      if (cell === null || !this._host.notebook.has(yId(cell))) {
        isStructural = true;
      } else {
        this._event(event, yId(cell), cell);
      }
    }
    if (!isStructural) {
      return [];
    }
    if (!isTakenBack) {
      this._separateTwins();
      return this._order(this._rewrite);
    }
    this._removeTwins();
    return this._order(this._takeBack);
  }

  /** Write which cells there are, and their order; see `events`. */
  order(): string[] {
    this._separateTwins();
    return this._order(this._rewrite);
  }

  /**
   * Write what was done here since the document was another one, which others may have gone on from.
   *
   * @param base what was shown then
   * @returns see `events`
   */
  rebase(base: NotebookDocument): string[] {
    const document = this._host.notebook;
    for (const cell of this._shown.cells) {
      const id = yId(cell);
      if (base.has(id) && document.has(id)) {
        this._merge(id, cell, base.cell(id) as ICell);
        this._pushAttachments(id, cell, base.attachments(id));
      }
    }
    this._separateTwins();
    return this._shown.isRearranged ? this._order(() => undefined) : [];
  }

  /** Write what others have typed, before they saw it, in cells that were merged here; whether there was any. */
  carryLate(): boolean {
    const document = this._host.notebook;
    const written = this._merged.carry(document);
    this._shown.transact(() => {
      for (const id of written) {
        const cell = this._shown.cell(id);
        if (cell !== null) {
          setText(ySource(cell), document.source(id));
        }
      }
    });
    return written.size > 0;
  }

  /** @param update writes what may differ in a cell that was made anew */
  private _order(update: (id: string, cell: YCellMap) => void): string[] {
    const document = this._host.notebook;
    this._noteExecutions();
    const before = this._shown.known;
    this._merged.expect(document, this._shown.cells.toArray(), before);
    pushOrder(
      this._shown.cells,
      document,
      before,
      (id, cell) => {
        if (before.has(id)) {
          return; // somebody deleted it while this was held back
        }
        document.addCell({
          id,
          cellType: yCellType(cell),
          source: ySource(cell).toString(),
          metadata: plain(yMetadata(cell)),
          attachments: null,
          executionId: this._executions.get(id) ?? this._pastedExecution(cell)
        });
        this._pushAttachments(id, cell);
      },
      (id, cell) => {
        update(id, cell);
        this._madeAnew.set(id, document.cell(id) as ICell);
      }
    );
    this._merged.written();
    this._shown.phantom = null;
    this._shown.remember();
    return [...this._shown.known].filter(([id, cell]) => before.get(id) !== cell).map(([id]) => id);
  }

  /** A cell that was moved, or changed its type, may have been given something else to say on the way. */
  private readonly _rewrite = (id: string, cell: YCellMap): void => {
    const document = this._host.notebook;
    document.setCellType(id, yCellType(cell));
    document.setSource(id, ySource(cell).toString());
    document.setCellMetadata(id, plain(yMetadata(cell)));
    this._pushMadeAnew(id, cell);
  };

  /** A move that is taken back brings the cell as it was then; what was written in it since stays. */
  private readonly _takeBack = (id: string, cell: YCellMap): void => {
    const document = this._host.notebook;
    const base = this._madeAnew.get(id);
    if (base !== undefined) {
      this._merge(id, cell, base);
    }
    this._shown.transact(() => {
      setText(ySource(cell), document.source(id));
      pullMetadata(yMetadata(cell), document.cellMetadata(id));
    });
    this._pushMadeAnew(id, cell);
  };

  private _merge(id: string, cell: YCellMap, base: ICell): void {
    const document = this._host.notebook;
    const theirs = document.cell(id) as ICell;
    const source = mergeTexts(base.source, ySource(cell).toString(), theirs.source);
    if (source !== theirs.source) {
      document.setSource(id, source);
    }
    if (yCellType(cell) !== base.cellType) {
      document.setCellType(id, yCellType(cell));
    }
    const metadata = withoutTrust(plain(yMetadata(cell)));
    if (!sameJson(metadata, base.metadata)) {
      document.setCellMetadata(id, mergeKeys(base.metadata, metadata, theirs.metadata));
    }
  }

  private _event(event: YEvent, id: string, cell: YCellMap): void {
    const document = this._host.notebook;
    const field = event.path[1];
    if (field === 'source') {
      const text = document.text(id);
      if (text !== null) {
        pushText(document.replica, text, event.delta);
      }
    } else if (field === 'metadata') {
      document.setCellMetadata(id, plain(yMetadata(cell)));
    } else {
      this._pushAttachments(id, cell);
    }
  }

  /** A move that is taken back brings the cell back where it was, though another has moved it since: it stays there. */
  private _removeTwins(): void {
    const { cells, known } = this._shown;
    const present = new Set(cells);
    const twins = cells.toArray().flatMap((cell, index) => {
      const other = known.get(yId(cell));
      return other !== undefined && other !== cell && present.has(other) ? [index] : [];
    });
    for (const index of twins.reverse()) {
      this._shown.transact(() => cells.delete(index));
    }
  }

  /** Give the later of two cells with one id, as pasting may leave them, an id of its own. */
  private _separateTwins(): void {
    const seen = new Set<string>();
    for (const cell of this._shown.cells) {
      if (seen.has(yId(cell))) {
        this._shown.transact(() => cell.set('id', UUID.uuid4()));
      }
      seen.add(yId(cell));
    }
  }

  /** A cell is made anew without the attachments that are still being fetched. */
  private _pushMadeAnew(id: string, cell: YCellMap): void {
    this._pushAttachments(id, cell, yCellType(cell) === 'code' ? undefined : null);
  }

  private _pushAttachments(
    id: string,
    cell: YCellMap,
    base: Attachments | null = this._host.notebook.attachments(id)
  ): void {
    const shown = yAttachments(cell);
    const attachments = shown && this._attachments.toDocument(shown);
    if (!(attachments instanceof Promise)) {
      this._mergeAttachments(id, attachments, base);
      return;
    }
    void attachments.then(stored => {
      if (this._host.notebook.has(id) && this._host.writable) {
        this._mergeAttachments(id, stored, base);
        this._host.edited();
      }
    });
  }

  private _mergeAttachments(id: string, ours: Attachments | null, base: Attachments | null): void {
    const theirs = this._host.notebook.attachments(id);
    const merged = mergeKeys(base ?? {}, ours ?? {}, theirs ?? {});
    const isGone = ours === null && Object.keys(merged).length === 0;
    this._host.notebook.setAttachments(id, isGone ? null : merged);
  }

  /** A cell that was copied shows what its original showed. */
  private _pastedExecution(cell: YCellMap): string | null {
    const id = this._memory.find((yOutputs(cell)?.toJSON() ?? []) as Output[]);
    return id !== null && this._host.runtime.execution(id) !== null ? id : null;
  }

  /** What cells showed, so that an undone deletion shows it again. */
  private _noteExecutions(): void {
    for (const id of this._shown.known.keys()) {
      const execution = this._host.notebook.executionId(id);
      if (execution !== null) {
        this._executions.set(id, execution);
      }
    }
  }

  private readonly _merged = new MergedCells();
  private readonly _executions = new Map<string, string>();
  /** Cells that were made anew here, as they were then. */
  private readonly _madeAnew = new Map<string, ICell>();
}

/** From the shared model into the notebook document: what somebody did to cells here. */
import { UUID } from '@lumino/coreutils';
import * as Y from 'yjs';
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
import { pushOrder } from './order.js';
import { OutputsMemory } from './outputsMemory.js';
import { ShownNotebook } from './shown.js';
import { pushText } from './text.js';

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
   * @returns cells that are new in the shared model, with what they were pasted with
   */
  events(edits: readonly YEvent[]): string[] {
    let isStructural = false;
    for (const event of edits) {
      const cell = cellOf(event, this._shown.cells);
      if (cell === null || !this._host.notebook.has(yId(cell))) {
        isStructural = true;
      } else {
        this._event(event, yId(cell), cell);
      }
    }
    return isStructural ? this.order() : [];
  }

  /** Write which cells there are, and their order; see `events`. */
  order(): string[] {
    const document = this._host.notebook;
    this._separateTwins();
    this._noteExecutions();
    const before = this._shown.known;
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
        document.setCellType(id, yCellType(cell));
        document.setSource(id, ySource(cell).toString());
        document.setCellMetadata(id, plain(yMetadata(cell)));
        this._pushAttachments(id, cell);
      }
    );
    this._shown.phantom = null;
    this._shown.remember();
    return [...this._shown.known].filter(([id, cell]) => before.get(id) !== cell).map(([id]) => id);
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

  private _pushAttachments(id: string, cell: YCellMap): void {
    const shown = yAttachments(cell);
    const attachments = shown && this._attachments.toDocument(shown);
    if (!(attachments instanceof Promise)) {
      this._host.notebook.setAttachments(id, attachments);
      return;
    }
    void attachments.then(stored => {
      if (this._host.notebook.has(id) && this._host.writable) {
        this._host.notebook.setAttachments(id, stored);
        this._host.edited();
      }
    });
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

  private readonly _executions = new Map<string, string>();
}

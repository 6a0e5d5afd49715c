/**
 * Which cells may run scripts in this tab.
 *
 * What this server's kernel printed for this room may. What came out of a file may not, until its reader says so for
 * this tab, or the server knows the file's signature. Trust is never in the shared document: one person's word is not
 * another's.
 */
import { Cell, CodeCell } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import { isTrusted } from '../bridge/outputs.js';
import { isObject } from '../notebookDocument.js';
import { Room } from '../room.js';
import { isFromKernel, Manifest } from '../runtimeDocument.js';
import { CellViews } from './cellViews.js';

export class Trust {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _room: Room,
    private readonly _contents: Contents.IManager
  ) {
    new CellViews(_panel, _room, cells => this._refresh(cells));
    void _room.opening.complete.then(
      () => this._askSignature(),
      () => undefined
    );
  }

  private _refresh(cells: readonly Cell[]): void {
    for (const cell of cells) {
      if (!(cell instanceof CodeCell)) {
        continue;
      }
      const executionId = this._room.notebook.executionId(cell.model.id);
      const execution = this._room.execution(cell.model.id);
      const seen = this._seen.get(cell);
      if (seen === executionId || (executionId !== null && execution === null)) {
        continue;
      }
      this._seen.set(cell, executionId);
      if (isTrusted(executionId, execution)) {
        cell.model.trusted = true;
      } else if (seen !== undefined) {
        cell.model.trusted = false; // outputs of a file took the place of what was trusted here
      }
    }
  }

  /** Let the server say which outputs of the file it signed; asked only if anything hangs on it. */
  private async _askSignature(): Promise<void> {
    if (this._panel.isDisposed) {
      return;
    }
    const untrusted = this._panel.content.widgets.filter(
      cell => cell instanceof CodeCell && !cell.model.trusted
    ) as CodeCell[];
    const isActive = (cell: CodeCell): boolean =>
      hasActiveOutput(this._room.execution(cell.model.id)?.outputs ?? []);
    if (!untrusted.some(isActive)) {
      return;
    }
    const path = this._room.path;
    const model = await this._contents
      .get(path, { type: 'notebook', content: true })
      .catch(() => null);
    const signed = new Set(trustedCells(model?.content));
    for (const cell of untrusted) {
      const execution = cell.isDisposed ? null : this._room.execution(cell.model.id);
      if (execution !== null && !isFromKernel(execution) && signed.has(cell.model.id)) {
        cell.model.trusted = true;
      }
    }
  }

  private readonly _seen = new Map<CodeCell, string | null>();
}

/** Whether an output is of a kind that JupyterLab shows otherwise when it is trusted. */
function hasActiveOutput(outputs: readonly Manifest[]): boolean {
  return outputs.some(
    ({ data }) =>
      isObject(data) &&
      Object.keys(data).some(mime => !mime.startsWith('text/plain') && !isPicture(mime))
  );
}

function isPicture(mime: string): boolean {
  return mime.startsWith('image/') && !mime.includes('svg');
}

function trustedCells(content: unknown): string[] {
  const cells = isObject(content) && Array.isArray(content.cells) ? content.cells : [];
  return cells.flatMap(cell =>
    isObject(cell) && isObject(cell.metadata) && cell.metadata.trusted === true
      ? [String(cell.id ?? '')]
      : []
  );
}

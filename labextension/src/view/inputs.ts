/** Boxes for what a running cell asks by `input()`: in every tab, until somebody has answered. */
import { Cell, CodeCell } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import type { Stdin } from '@jupyterlab/outputarea';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import { Panel } from '@lumino/widgets';
import { Room } from '../room.js';
import { IInputRequest } from '../runtimeDocument.js';
import { CellViews } from './cellViews.js';

interface IBox {
  readonly requestId: string;
  readonly widget: Panel;
}

export class InputBoxes {
  constructor(
    panel: NotebookPanel,
    private readonly _room: Room
  ) {
    new CellViews(panel, _room, cells => this._refresh(cells));
  }

  private _refresh(cells: readonly Cell[]): void {
    for (const cell of cells) {
      if (cell instanceof CodeCell) {
        this._show(cell, this._room.execution(cell.model.id)?.inputRequest ?? null);
      }
    }
  }

  private _show(cell: CodeCell, request: IInputRequest | null): void {
    const box = this._boxes.get(cell);
    if (box?.requestId === request?.requestId) {
      return;
    }
    box?.widget.dispose();
    this._boxes.delete(cell);
    if (request !== null && (this._room.status?.executable ?? true)) {
      const widget = this._make(cell, request);
      cell.outputArea.layout.addWidget(widget);
      this._boxes.set(cell, { requestId: request.requestId, widget });
    }
  }

  private _make(cell: CodeCell, { requestId, prompt, password }: IInputRequest): Panel {
    const factory = cell.outputArea.contentFactory;
    const input = factory.createStdin({
      prompt,
      password,
      future: this._future(requestId),
      parent_header: { session: this._room.path } as KernelMessage.IHeader as never
    } as Stdin.IOptions);
    const panel = new Panel();
    panel.addClass('jp-OutputArea-child');
    panel.addClass('jp-OutputArea-stdin-item');
    const label = factory.createOutputPrompt();
    label.addClass('jp-OutputArea-prompt');
    panel.addWidget(label);
    input.addClass('jp-OutputArea-output');
    panel.addWidget(input);
    return panel;
  }

  /** What JupyterLab's input box needs of a running execution. */
  private _future(requestId: string): Kernel.IShellFuture {
    return {
      sendInputReply: ({ value }: { value: string }) => {
        this._room.request('input_reply', { request_id: requestId, value }).catch(() => undefined);
      }
    } as unknown as Kernel.IShellFuture;
  }

  private readonly _boxes = new Map<CodeCell, IBox>();
}

/**
 * Somebody else deletes the cell this user is in.
 *
 * JupyterLab would go on in the notebook's first cell, and put there what is typed. Here the cell that has taken the
 * place becomes the active one, and who was typing has to say where to go on.
 */
import { NotebookPanel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';
import type { AwarenessBridge } from '../bridge/awareness.js';
import { Room } from '../room.js';

export class LostCell {
  constructor(
    private readonly _panel: NotebookPanel,
    room: Room
  ) {
    room.awareness.focusLost.connect(this._onLost, this);
    _panel.disposed.connect(() => Signal.clearData(this));
  }

  private _onLost(_: AwarenessBridge, next: string | null): void {
    const notebook = this._panel.content;
    const wasTyping = notebook.mode === 'edit';
    notebook.mode = 'command';
    notebook.activeCellIndex = notebook.widgets.findIndex(cell => cell.model.id === next);
    const focused = document.activeElement;
    // In command mode letters are commands: they should not meet another cell either.
    if (wasTyping && focused instanceof HTMLElement && notebook.node.contains(focused)) {
      focused.blur();
    }
  }
}

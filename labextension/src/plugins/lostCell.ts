import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRooms } from '../tokens.js';
import { LostCell } from '../view/lostCell.js';
import { forEachPanel } from '../view/panels.js';

/** What is typed goes into no other cell than the one it was meant for. */
export const lostCellPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:lost-cell',
  description:
    'Keeps what is typed out of other cells when somebody deletes the one it was meant for.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  activate: (_: JupyterFrontEnd, rooms: IRooms, tracker: INotebookTracker): void => {
    forEachPanel(tracker, rooms, (panel, room) => new LostCell(panel, room));
  }
};

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRooms } from '../tokens.js';
import { CellStates } from '../view/cellState.js';
import { forEachPanel } from '../view/panels.js';

/** Queue, who ran it, and who is where, said at the cell. */
export const cellStatesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:cell-states',
  description: 'Shows at each cell whether it is queued or running, and who is in it.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  activate: (_: JupyterFrontEnd, rooms: IRooms, tracker: INotebookTracker): void => {
    forEachPanel(tracker, rooms, (panel, room) => new CellStates(panel, room));
  }
};

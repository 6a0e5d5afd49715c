import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRooms } from '../tokens.js';
import { InputBoxes } from '../view/inputs.js';
import { forEachPanel } from '../view/panels.js';

/** A cell that asks is answered in any tab. */
export const inputsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:inputs',
  description: 'Shows the input boxes of running cells in every tab.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  activate: (_: JupyterFrontEnd, rooms: IRooms, tracker: INotebookTracker): void => {
    forEachPanel(tracker, rooms, (panel, room) => new InputBoxes(panel, room));
  }
};

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRooms } from '../tokens.js';
import { forEachPanel } from '../view/panels.js';
import { Trust } from '../view/trust.js';

/** What may run scripts in this tab. */
export const trustPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:trust',
  description: 'Trusts outputs of the kernel, and outputs of signed files.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  activate: (app: JupyterFrontEnd, rooms: IRooms, tracker: INotebookTracker): void => {
    const { contents } = app.serviceManager;
    forEachPanel(tracker, rooms, (panel, room) => new Trust(panel, room, contents));
  }
};

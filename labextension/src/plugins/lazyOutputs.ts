import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRooms } from '../tokens.js';
import { LazyOutputs } from '../view/lazyOutputs.js';
import { forEachPanel } from '../view/panels.js';

/** Images and long texts of cells that nobody sees stay with the server. */
export const lazyOutputsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:lazy-outputs',
  description: 'Fetches large outputs when they are about to be seen.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  activate: (_: JupyterFrontEnd, rooms: IRooms, tracker: INotebookTracker): void => {
    rooms.added.connect((_, room) => room.bridge.outputs.beLazy());
    forEachPanel(tracker, rooms, (panel, room) => {
      new LazyOutputs(panel, room);
      // "Save as" writes what this tab has.
      const { context } = panel;
      const saveAs = context.saveAs.bind(context);
      context.saveAs = async () => {
        await room.bridge.showAllOutputs();
        return saveAs();
      };
    });
  }
};

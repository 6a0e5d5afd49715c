import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookCellExecutor } from '@jupyterlab/notebook';
import { RoomCellExecutor } from '../cellExecutor.js';
import { IRooms } from '../tokens.js';

/** Cells of rooms are run by the server, all others as ever. */
export const cellExecutorPlugin: JupyterFrontEndPlugin<INotebookCellExecutor> = {
  id: 'jupyter-runtimed:cell-executor',
  description: 'Lets the server run the cells of its rooms.',
  autoStart: true,
  provides: INotebookCellExecutor,
  requires: [IRooms],
  activate: (_, rooms: IRooms): INotebookCellExecutor => new RoomCellExecutor(rooms)
};

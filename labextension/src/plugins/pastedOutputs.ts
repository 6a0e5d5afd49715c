import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { IRooms } from '../tokens.js';

/** A cell of another notebook brings its outputs along; when they cannot be kept, that is said. */
export const pastedOutputsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:pasted-outputs',
  description: 'Says when outputs that were pasted with a cell could not be kept.',
  autoStart: true,
  requires: [IRooms],
  activate: (_: JupyterFrontEnd, rooms: IRooms): void => {
    rooms.added.connect((_, room) => {
      room.outputRequests.failed.connect((_, { message }) => {
        Notification.warning(
          `The cell was pasted without its outputs: ${message} Run it, or paste it once more.`,
          { autoClose: 10_000 }
        );
      });
    });
  }
};

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { LoadError } from '../requests.js';
import { Room } from '../room.js';
import { IRooms } from '../tokens.js';

/** A file that is no notebook can still be looked at, and mended, as text. */
export const loadFailuresPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:load-failures',
  description: 'Offers to open as text what cannot be opened as a notebook.',
  autoStart: true,
  requires: [IRooms],
  activate: ({ commands }: JupyterFrontEnd, rooms: IRooms): void => {
    const offer = ({ path }: Room): void => {
      Notification.error(`${path} could not be opened as a notebook. Nothing was changed.`, {
        autoClose: false,
        actions: [
          {
            label: 'Open as text',
            callback: () => void commands.execute('docmanager:open', { path, factory: 'Editor' })
          }
        ]
      });
    };
    rooms.added.connect((_, room) => {
      room.ready.catch(error => error instanceof LoadError && offer(room));
    });
  }
};

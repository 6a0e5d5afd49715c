import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { LoadError } from '../requests.js';
import { Room } from '../room.js';
import { IRooms } from '../tokens.js';
import { roomOf } from '../view/panels.js';

/**
 * A file that is no notebook can still be looked at, and mended, as text.
 *
 * JupyterLab itself says why nothing was shown. When cells were shown before the fault was found, nobody is left with
 * part of a notebook: it is closed.
 */
export const loadFailuresPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:load-failures',
  description: 'Offers to open as text what cannot be opened as a notebook.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  activate: ({ commands }: JupyterFrontEnd, rooms: IRooms, tracker: INotebookTracker): void => {
    const offer = ({ path }: Room, reason: string): void => {
      Notification.error(
        `${path} could not be opened as a notebook${reason}. Nothing was changed.`,
        {
          autoClose: false,
          actions: [
            {
              label: 'Open as text',
              callback: () => void commands.execute('docmanager:open', { path, factory: 'Editor' })
            }
          ]
        }
      );
    };
    rooms.added.connect((_, room) => {
      room.opening.complete.catch(async error => {
        if (!(error instanceof LoadError)) {
          return;
        }
        const wasShown = await room.opening.begun.then(
          () => true,
          () => false
        );
        offer(room, wasShown ? `: ${error.message}` : '');
        if (wasShown) {
          tracker.find(panel => roomOf(rooms, panel) === room)?.dispose();
        }
      });
    });
  }
};

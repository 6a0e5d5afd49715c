import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { Room } from '../room.js';
import { IRooms } from '../tokens.js';

/** JupyterLab's setting whether to save by itself is told to the server, which is who saves. */
export const autosavePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:autosave',
  description: 'Lets the server save notebooks by itself, or not, as the settings say.',
  autoStart: true,
  requires: [IRooms, IDocumentManager],
  activate: (_: JupyterFrontEnd, rooms: IRooms, documents: IDocumentManager): void => {
    const tell = (room: Room): void => {
      const status = room.status;
      if (status?.phase === 'ready' && status.writable && status.autosave !== documents.autosave) {
        // An older server does not know of it, and a lost connection is told again.
        room.request('set_autosave', { enabled: documents.autosave }).catch(() => undefined);
      }
    };
    documents.stateChanged.connect((_, { name }) => {
      if (name === 'autosave') {
        rooms.all.forEach(tell);
      }
    });
    rooms.added.connect((_, room) => {
      let isTold = false;
      room.changed.connect((_, change) => {
        if (change === 'connection') {
          isTold = false;
        } else if (change === 'status' && !isTold && room.status?.phase === 'ready') {
          isTold = true;
          // A setting that was never touched does not overrule that of somebody else.
          if (!documents.autosave) {
            tell(room);
          }
        }
      });
    });
  }
};

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { CodeCell } from '@jupyterlab/cells';
import { URLExt } from '@jupyterlab/coreutils';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { IRooms } from '../tokens.js';
import { forEachPanel, roomOf } from '../view/panels.js';
import { Trust } from '../view/trust.js';

/** What may run scripts in this tab. */
export const trustPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:trust',
  description: 'Trusts outputs of the kernel, and outputs of signed files.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  activate: (app: JupyterFrontEnd, rooms: IRooms, tracker: INotebookTracker): void => {
    const { contents, serverSettings } = app.serviceManager;
    forEachPanel(tracker, rooms, (panel, room) => new Trust(panel, room, contents));
    app.commands.commandExecuted.connect((_, { id, result }) => {
      const panel = tracker.currentWidget;
      const room = roomOf(rooms, panel);
      if (id === 'notebook:trust' && panel !== null && room !== undefined) {
        void result.then(
          async () => {
            if (isTrusted(panel)) {
              await signFile(room.path, serverSettings);
            }
          },
          () => undefined // JupyterLab has said what went wrong
        );
      }
    });
  }
};

/** Whether the question whether to trust the notebook was answered with yes. */
function isTrusted({ content }: NotebookPanel): boolean {
  return content.widgets.every(cell => !(cell instanceof CodeCell) || cell.model.trusted);
}

/** Have the server sign a file that JupyterLab has just saved, so that the trust given to it lasts. */
async function signFile(path: string, settings: ServerConnection.ISettings): Promise<void> {
  const url = URLExt.join(settings.baseUrl, 'api/contents', URLExt.encodeParts(path), 'trust');
  const response = await ServerConnection.makeRequest(url, { method: 'POST' }, settings).catch(
    () => null
  );
  if (!response?.ok) {
    Notification.warning('The server did not sign the file: it is trusted in this tab only.', {
      autoClose: 5000
    });
  }
}

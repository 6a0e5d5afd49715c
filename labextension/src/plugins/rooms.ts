import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookWidgetFactory, NotebookWidgetFactory } from '@jupyterlab/notebook';
import { ContentsManager } from '@jupyterlab/services';
import { startEngine } from '../automerge.js';
import { PROVIDER_ID, RoomContentProvider } from '../contentProvider.js';
import { RestClient } from '../rest.js';
import { Rooms } from '../rooms.js';
import { IRooms } from '../tokens.js';

const wasm = new URL('@automerge/automerge/automerge.wasm', import.meta.url);

/** Notebooks open as rooms. Waits for the engine, so that no notebook opens before it is there. */
export const roomsPlugin: JupyterFrontEndPlugin<IRooms> = {
  id: 'jupyter-runtimed:rooms',
  description: 'Opens notebooks as rooms of the server instead of files.',
  autoStart: true,
  provides: IRooms,
  requires: [INotebookWidgetFactory],
  activate: async (
    app: JupyterFrontEnd,
    factory: NotebookWidgetFactory.IFactory
  ): Promise<IRooms> => {
    const rest = new RestClient(app.serviceManager.serverSettings);
    const [isAvailable] = await Promise.all([
      rest.isAvailable().catch(() => false),
      startEngine(wasm.href)
    ]);
    const drive = (app.serviceManager.contents as ContentsManager).defaultDrive;
    const registry = drive?.contentProviderRegistry;
    if (!isAvailable || drive === undefined || registry === undefined) {
      return new Rooms(null);
    }
    const rooms = new Rooms(rest);
    registry.register(PROVIDER_ID, new RoomContentProvider(rooms, drive));
    (factory as NotebookWidgetFactory).contentProviderId = PROVIDER_ID;
    return rooms;
  }
};

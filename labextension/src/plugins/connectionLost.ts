import {
  ConnectionLost,
  IConnectionLost,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IRooms } from '../tokens.js';

/** A room says itself that it is offline, and work goes on: no dialog in the way. */
export const connectionLostPlugin: JupyterFrontEndPlugin<IConnectionLost> = {
  id: 'jupyter-runtimed:connection-lost',
  description: 'Keeps quiet about a lost connection while notebooks can be edited without it.',
  autoStart: true,
  provides: IConnectionLost,
  requires: [IRooms],
  activate: (_: JupyterFrontEnd, rooms: IRooms): IConnectionLost => {
    return async (manager, error, translator) => {
      if (rooms.all.length === 0) {
        await ConnectionLost(manager, error, translator);
      }
    };
  }
};

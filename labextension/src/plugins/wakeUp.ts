import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRooms } from '../tokens.js';

const TICK_MS = 5_000;
/** A tick that comes so late was slept through. */
const SLEPT_MS = 20_000;

/** After the machine slept, or changed its network, a connection may be dead and not know it. */
export const wakeUpPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:wake-up',
  description: 'Checks connections after the machine slept.',
  autoStart: true,
  requires: [IRooms],
  activate: (_: JupyterFrontEnd, rooms: IRooms): void => {
    const check = (): void => rooms.all.forEach(room => void room.checkConnection());
    let last = Date.now();
    setInterval(() => {
      if (Date.now() - last > SLEPT_MS) {
        check();
      }
      last = Date.now();
    }, TICK_MS);
    window.addEventListener('online', check);
  }
};

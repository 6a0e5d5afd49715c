import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import { Room } from '../room.js';
import { IRooms } from '../tokens.js';
import { forEachPanel } from '../view/panels.js';

/** Interrupting goes through the room, so that what is queued stops, too. Menu, toolbar and keys all end up here. */
export const kernelControlPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:kernel-control',
  description: 'Lets the room interrupt its kernel and empty its queue.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  activate: (_: JupyterFrontEnd, rooms: IRooms, tracker: INotebookTracker): void => {
    forEachPanel(tracker, rooms, (panel, room) => {
      const { sessionContext } = panel;
      adopt(sessionContext.session?.kernel ?? null, room);
      sessionContext.kernelChanged.connect((_, { newValue }) => adopt(newValue, room));
    });
  }
};

function adopt(kernel: Kernel.IKernelConnection | null, room: Room): void {
  if (kernel !== null) {
    const plainly = kernel.interrupt.bind(kernel);
    kernel.interrupt = () =>
      room.isDisposed
        ? plainly()
        : room.request('interrupt_kernel').then(
            () => undefined,
            () => plainly()
          );
  }
}

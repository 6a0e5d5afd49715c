import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import { startKernelQuietly } from '../kernelStart.js';
import { Room } from '../room.js';
import { IRooms } from '../tokens.js';
import { forEachPanel, roomOf } from '../view/panels.js';

/**
 * Interrupting goes through the room, so that what is queued stops, too. Menu, toolbar and keys all end up here.
 * For those who may not run cells no kernel is started.
 */
export const kernelControlPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:kernel-control',
  description: 'Lets the room interrupt its kernel and empty its queue.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  activate: (_: JupyterFrontEnd, rooms: IRooms, tracker: INotebookTracker): void => {
    tracker.widgetAdded.connect((_, panel) => {
      const room = roomOf(rooms, panel);
      if (room !== undefined) {
        startKernelQuietly(panel, room);
        void spareKernel(panel, room);
      }
    });
    forEachPanel(tracker, rooms, (panel, room) => {
      const { sessionContext } = panel;
      adopt(sessionContext.session?.kernel ?? null, room);
      sessionContext.kernelChanged.connect((_, { newValue }) => adopt(newValue, room));
    });
  }
};

/** JupyterLab starts a kernel as soon as the notebook is there, and would ask for one. */
async function spareKernel(panel: NotebookPanel, room: Room): Promise<void> {
  await room.opening.begun.catch(() => undefined);
  if (room.status?.executable === false && !panel.isDisposed) {
    const { sessionContext } = panel;
    sessionContext.kernelPreference = { ...sessionContext.kernelPreference, canStart: false };
  }
}

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

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISessionContext, SessionContext } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import { Room } from '../room.js';
import { RoomKernel } from '../roomKernel.js';
import { IRooms } from '../tokens.js';
import { forEachPanel, roomOf } from '../view/panels.js';

/**
 * Interrupting goes through the room, so that what is queued stops, too. Menu, toolbar and keys all end up here.
 */
export const kernelControlPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:kernel-control',
  description: 'Lets the room interrupt its kernel and empty its queue.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  activate: ({ shell }: JupyterFrontEnd, rooms: IRooms, tracker: INotebookTracker): void => {
    tracker.widgetAdded.connect((_, panel) => {
      const room = roomOf(rooms, panel);
      if (room !== undefined) {
        new RoomKernel(panel, room, () => contextsAt(shell, panel.sessionContext.path));
      }
    });
    forEachPanel(tracker, rooms, (panel, room) => {
      const { sessionContext } = panel;
      adopt(sessionContext.session?.kernel ?? null, room);
      sessionContext.kernelChanged.connect((_, { newValue }) => adopt(newValue, room));
    });
  }
};

/** What uses the kernel of a notebook: its panels, and the consoles that belong to them. */
function contextsAt(shell: JupyterFrontEnd.IShell, path: string): ISessionContext[] {
  return [...shell.widgets('main')].flatMap(widget => {
    const context = 'sessionContext' in widget ? widget.sessionContext : null;
    return context instanceof SessionContext && context.path === path ? [context] : [];
  });
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

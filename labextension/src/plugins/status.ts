import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStatusBar } from '@jupyterlab/statusbar';
import { Signal } from '@lumino/signaling';
import { IRooms } from '../tokens.js';
import { forEachPanel, roomOf } from '../view/panels.js';
import { RoomStatusItem } from '../view/statusItem.js';

/** The line in the status bar; where there is none, beside the menu. */
export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runtimed:status',
  description: 'Says in the status bar whether a notebook is connected and saved.',
  autoStart: true,
  requires: [IRooms, INotebookTracker],
  optional: [IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    rooms: IRooms,
    tracker: INotebookTracker,
    statusBar: IStatusBar | null
  ): void => {
    if (!rooms.isAvailable) {
      return;
    }
    forEachPanel(tracker, rooms, ({ context }, room) => {
      room.changed.connect((_, change) => {
        if (change === 'unsaved') {
          // JupyterLab takes it for a save that was called off, and would go on saying that it has started.
          (context.saveState as Signal<typeof context, DocumentRegistry.SaveState>).emit('failed');
        }
      });
    });
    const item = new RoomStatusItem();
    const activeStateChanged = new Signal<RoomStatusItem, void>(item);
    const follow = (): void => {
      item.room = roomOf(rooms, tracker.currentWidget) ?? null;
      activeStateChanged.emit();
    };
    tracker.currentChanged.connect(follow);
    rooms.removed.connect(follow);
    follow();
    if (statusBar === null) {
      item.id = 'jupyter-runtimed-status';
      app.shell.add(item, 'menu', { rank: 10_900 }); // in Notebook 7, before "Trusted"
      return;
    }
    statusBar.registerStatusItem('jupyter-runtimed:status', {
      item,
      align: 'right',
      rank: 95,
      isActive: () => item.hasRoom,
      activeStateChanged
    });
  }
};

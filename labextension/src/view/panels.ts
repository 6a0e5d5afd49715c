/** Notebook panels that show a room. */
import type { YDocument, DocumentChange } from '@jupyter/ydoc';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Room } from '../room.js';
import { IRooms } from '../tokens.js';

export function roomOf(rooms: IRooms, panel: NotebookPanel | null): Room | undefined {
  const shared = panel?.context.model?.sharedModel as YDocument<DocumentChange> | undefined;
  return shared && rooms.of(shared);
}

/** Call back for every panel that shows a room, now or later, once its notebook is there. */
export function forEachPanel(
  tracker: INotebookTracker,
  rooms: IRooms,
  show: (panel: NotebookPanel, room: Room) => void
): void {
  const meet = (panel: NotebookPanel): void => {
    const room = roomOf(rooms, panel);
    if (room !== undefined) {
      void panel.context.ready.then(() => {
        if (!panel.isDisposed && !room.isDisposed) {
          show(panel, room);
        }
      });
    }
  };
  tracker.forEach(meet);
  tracker.widgetAdded.connect((_, panel) => meet(panel));
}

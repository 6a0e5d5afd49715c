/** What the plugins of this extension give to each other, and to other extensions. */
import type { YDocument, DocumentChange } from '@jupyter/ydoc';
import { Token } from '@lumino/coreutils';
import { ISignal } from '@lumino/signaling';
import type { Room } from './room.js';

/** The rooms of the notebooks that are open in this page. */
export interface IRooms {
  /** Whether the server has rooms at all; without them JupyterLab is as if this extension were not there. */
  readonly isAvailable: boolean;
  readonly all: readonly Room[];
  /** The room of a notebook that is open here, by its path. */
  get(path: string): Room | undefined;
  /** The room behind a shared model. */
  of(shared: YDocument<DocumentChange>): Room | undefined;
  readonly added: ISignal<IRooms, Room>;
  readonly removed: ISignal<IRooms, Room>;
}

export const IRooms = new Token<IRooms>(
  'jupyter-runtimed:IRooms',
  'The rooms of the notebooks that are open in this page.'
);

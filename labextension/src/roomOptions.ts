/** What a room is made of, and what it tells of. */
import type { YNotebook } from '@jupyter/ydoc';
import type { IRoomServer } from './rest.js';
import type { ITransport } from './transport.js';

export interface IRoomOptions {
  readonly path: string;
  readonly shared: YNotebook;
  readonly server: IRoomServer;
  /** A transport to whatever room has this id when it connects. */
  readonly makeTransport: (roomId: () => string) => ITransport;
}

export type RoomConnection = 'opening' | 'online' | 'offline';

/** What changed about a room, apart from its cells; `unsaved`: somebody saved it, without success. */
export type RoomChange =
  'connection' | 'status' | 'peers' | 'runtime' | 'kernel' | 'confirmation' | 'unsaved';

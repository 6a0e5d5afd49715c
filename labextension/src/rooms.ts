/** The rooms of the notebooks that are open in this page. */
import type { DocumentChange, YDocument, YNotebook } from '@jupyter/ydoc';
import { ISignal, Signal } from '@lumino/signaling';
import { RestClient } from './rest.js';
import { Room } from './room.js';
import { IRooms } from './tokens.js';
import { WebSocketTransport } from './transport.js';

export class Rooms implements IRooms {
  constructor(private readonly _rest: RestClient | null) {}

  get isAvailable(): boolean {
    return this._rest !== null;
  }

  get all(): readonly Room[] {
    return this._rooms;
  }

  get added(): ISignal<this, Room> {
    return this._added;
  }

  get removed(): ISignal<this, Room> {
    return this._removed;
  }

  get(path: string): Room | undefined {
    return this._rooms.find(room => room.path === path);
  }

  of(shared: YDocument<DocumentChange>): Room | undefined {
    return this._rooms.find(room => room.shared === shared);
  }

  /** Open the room of a file, to be shown in a shared model, until that is disposed. */
  open(path: string, shared: YNotebook): Room {
    const rest = this._rest;
    if (rest === null) {
      throw new Error('This server has no rooms.');
    }
    const room = new Room({
      path,
      shared,
      server: rest,
      makeTransport: roomId => new WebSocketTransport(() => rest.connect(roomId()))
    });
    this._rooms.push(room);
    shared.disposed.connect(() => {
      this._rooms.splice(this._rooms.indexOf(room), 1);
      this._removed.emit(room);
      room.dispose();
    });
    this._added.emit(room);
    void room.start();
    return room;
  }

  private readonly _rooms: Room[] = [];
  private readonly _added = new Signal<this, Room>(this);
  private readonly _removed = new Signal<this, Room>(this);
}

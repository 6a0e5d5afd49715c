/** The people in all rooms that are open here, as one awareness. */
import type { IAwarenessProvider } from '@jupyter/docprovider';
import type { IAwareness } from '@jupyter/ydoc';
import type { User } from '@jupyterlab/services';
import { JsonObject } from './automerge.js';
import { awarenessUser, clientIdOf, setAwareness } from './presence.js';
import { Room } from './room.js';
import { IRooms } from './tokens.js';

export class PeopleEverywhere implements IAwarenessProvider {
  constructor(
    private readonly _rooms: IRooms,
    readonly awareness: IAwareness,
    private readonly _user: User.IManager
  ) {
    _rooms.all.forEach(room => this._follow(_rooms, room));
    _rooms.added.connect(this._follow, this);
    _rooms.removed.connect(this._refresh, this);
    _user.userChanged.connect(this._tellUser, this);
    void _user.ready.then(() => this._tellUser());
  }

  isDisposed = false;

  dispose(): void {
    if (!this.isDisposed) {
      this.isDisposed = true;
      this._rooms.added.disconnect(this._follow, this);
      this._rooms.removed.disconnect(this._refresh, this);
      this._rooms.all.forEach(room => room.changed.disconnect(this._onChanged, this));
      this._user.userChanged.disconnect(this._tellUser, this);
    }
  }

  private _tellUser(): void {
    this.awareness.setLocalStateField('user', this._user.identity);
  }

  private _follow(_: IRooms, room: Room): void {
    room.changed.connect(this._onChanged, this);
    this._refresh();
  }

  private _onChanged(_: Room, change: string): void {
    if (change === 'peers' || change === 'status') {
      this._refresh();
    }
  }

  /** One entry for each person, whatever they have open, and in how many tabs. */
  private _refresh(): void {
    const people = new Map<string, { id: number; user: JsonObject; paths: Set<string> }>();
    for (const room of this._rooms.all) {
      for (const { peerId, user } of room.peers) {
        const known = people.get(user.username);
        const person = known ?? {
          id: clientIdOf(peerId),
          user: awarenessUser(user),
          paths: new Set<string>()
        };
        person.paths.add(room.path);
        people.set(user.username, person);
      }
    }
    const states = new Map<number, JsonObject>();
    for (const { id, user, paths } of people.values()) {
      const documents = [...paths];
      states.set(id, { user, current: `notebook:${documents[0]}`, documents });
    }
    setAwareness(this.awareness, states, this);
  }
}

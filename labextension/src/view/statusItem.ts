/** One line about the notebook in front: is it connected, is what was typed safe, is it in the file. */
import { Widget } from '@lumino/widgets';
import { Room } from '../room.js';
import { describe } from './describe.js';

export class RoomStatusItem extends Widget {
  constructor() {
    super();
    this.addClass('jp-RuntimedStatus');
  }

  set room(room: Room | null) {
    if (this._room === room) {
      return;
    }
    this._room?.changed.disconnect(this._draw, this);
    this._room = room;
    room?.changed.connect(this._draw, this);
    this._draw();
  }

  get hasRoom(): boolean {
    return this._room !== null && !this._room.isDisposed;
  }

  override dispose(): void {
    this.room = null;
    super.dispose();
  }

  private _draw(): void {
    const room = this._room;
    if (room === null || room.isDisposed) {
      this.node.textContent = '';
      return;
    }
    const { state, text, title } = describe(room);
    if (this.node.textContent !== text) {
      this.node.textContent = text; // any writing makes the browser lay the page out anew
    }
    this.node.title = title;
    this.node.dataset.state = state;
  }

  private _room: Room | null = null;
}

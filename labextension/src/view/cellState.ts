/** What is said at a cell: whether it waits or runs and for whom, and who is in it. */
import { Cell, CodeCell } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import { clientIdOf, awarenessUser } from '../presence.js';
import { Room } from '../room.js';
import type { RoomChange } from '../roomOptions.js';
import { hasEnded } from '../runtimeDocument.js';
import { IPeer } from '../status.js';
import { CellViews } from './cellViews.js';

const QUEUED = 'jp-mod-runtimedQueued';
const RUNNING = 'jp-mod-runtimedRunning';
const PEOPLE = 'jp-RuntimedPeople';

export class CellStates {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _room: Room
  ) {
    this._cells = new CellViews(_panel, _room, cells => this._drawSoon(cells));
    _room.changed.connect(this._onChanged, this);
    _panel.content.activeCellChanged.connect(this._tellFocus, this);
    _panel.disposed.connect(() => _room.changed.disconnect(this._onChanged, this));
    this._drawRights();
    this._placePeople();
    this._tellFocus();
  }

  private _tellFocus(): void {
    this._room.awareness.focus = this._panel.content.activeCell?.model?.id ?? null;
  }

  private _onChanged(_: Room, change: RoomChange): void {
    if (change === 'status') {
      this._drawRights();
    } else if (change === 'peers') {
      this._placePeople();
    }
  }

  private _drawRights(): void {
    const isReadOnly = !this._room.writable;
    if (isReadOnly === this._isReadOnly) {
      return;
    }
    this._isReadOnly = isReadOnly;
    if (this._panel.content.model !== null) {
      this._panel.content.model.readOnly = isReadOnly;
    }
    this._drawSoon(this._cells.all);
  }

  /** Draw the cells where somebody came or went. */
  private _placePeople(): void {
    const before = this._people;
    this._people = new Map();
    for (const peer of this._room.peers) {
      if (peer.focus !== null) {
        this._people.set(peer.focus, [...(this._people.get(peer.focus) ?? []), peer]);
      }
    }
    const places = new Set([...before.keys(), ...this._people.keys()]);
    this._drawSoon([...places].flatMap(id => this._cells.get(id) ?? []));
  }

  private _drawSoon(cells: readonly Cell[]): void {
    cells.forEach(cell => this._due.add(cell));
    if (this._due.size === 0) {
      return;
    }
    this._request ??= requestAnimationFrame(() => {
      this._request = undefined;
      const due = [...this._due];
      this._due.clear();
      if (!this._panel.isDisposed && !this._room.isDisposed) {
        due.filter(cell => !cell.isDisposed).forEach(cell => this._draw(cell));
      }
    });
  }

  private _draw(cell: Cell): void {
    cell.readOnly = this._isReadOnly;
    drawPeople(cell, this._people.get(cell.model.id) ?? []);
    if (cell instanceof CodeCell) {
      this._drawExecution(cell);
    }
  }

  private _drawExecution(cell: CodeCell): void {
    const execution = this._room.execution(cell.model.id);
    const isQueued = execution?.status === 'queued';
    const isRunning = execution?.status === 'running';
    cell.toggleClass(QUEUED, isQueued);
    cell.toggleClass(RUNNING, isRunning);
    const who = execution?.submittedBy;
    const prompt = cell.inputArea?.promptNode;
    if (prompt) {
      const verb = isQueued ? 'Queued by' : isRunning ? 'Run by' : 'Last run by';
      const when = execution && hasEnded(execution) ? timeOf(execution.finishedAt) : '';
      prompt.title = who ? `${verb} ${this._room.engine.nameOf(who)}${when}` : '';
    } else if (who) {
      void cell.ready.then(() => this._drawSoon([cell])); // it has not come into view yet
    }
  }

  private readonly _cells: CellViews;
  private readonly _due = new Set<Cell>();
  private _people = new Map<string, IPeer[]>();
  private _isReadOnly = false;
  private _request: number | undefined;
}

function timeOf(iso: string | null): string {
  return iso === null ? '' : `, ${new Date(iso).toLocaleTimeString()}`;
}

function drawPeople(cell: Cell, people: readonly IPeer[]): void {
  let holder = cell.node.querySelector<HTMLElement>(`:scope > .${PEOPLE}`);
  const key = people.map(peer => `${peer.peerId} ${peer.user.name}`).join();
  if ((holder?.dataset.key ?? '') === key) {
    return;
  }
  if (holder === null) {
    holder = document.createElement('div');
    holder.className = PEOPLE;
    cell.node.appendChild(holder);
  }
  holder.dataset.key = key;
  holder.replaceChildren(
    ...[...people]
      .sort((a, b) => clientIdOf(a.peerId) - clientIdOf(b.peerId))
      .map(({ user }) => {
        const chip = document.createElement('span');
        chip.textContent = user.name;
        chip.style.backgroundColor = String(awarenessUser(user).color);
        return chip;
      })
  );
}

/** What is said at a cell: whether it waits or runs and for whom, and who is in it. */
import { Cell, CodeCell } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import { clientIdOf, awarenessUser } from '../presence.js';
import { Room } from '../room.js';
import { hasEnded } from '../runtimeDocument.js';
import { IPeer } from '../status.js';

const QUEUED = 'jp-mod-runtimedQueued';
const RUNNING = 'jp-mod-runtimedRunning';
const PEOPLE = 'jp-RuntimedPeople';

export class CellStates {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _room: Room
  ) {
    _room.changed.connect(this._refresh, this);
    _panel.content.modelContentChanged.connect(this._refresh, this);
    _panel.content.activeCellChanged.connect(this._tellFocus, this);
    _panel.disposed.connect(() => _room.changed.disconnect(this._refresh, this));
    this._refresh();
    this._tellFocus();
  }

  private _tellFocus(): void {
    this._room.awareness.focus = this._panel.content.activeCell?.model?.id ?? null;
  }

  private _refresh(): void {
    this._request ??= requestAnimationFrame(() => {
      this._request = undefined;
      if (!this._panel.isDisposed && !this._room.isDisposed) {
        this._draw();
      }
    });
  }

  private _draw(): void {
    const people = new Map<string, IPeer[]>();
    for (const peer of this._room.peers) {
      if (peer.focus !== null) {
        people.set(peer.focus, [...(people.get(peer.focus) ?? []), peer]);
      }
    }
    const isReadOnly = !this._room.writable;
    if (this._panel.content.model !== null) {
      this._panel.content.model.readOnly = isReadOnly;
    }
    for (const cell of this._panel.content.widgets) {
      cell.readOnly = isReadOnly;
      if (cell instanceof CodeCell) {
        this._drawExecution(cell);
      }
      drawPeople(cell, people.get(cell.model.id) ?? []);
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
    }
  }

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

/** Running cells: the server does it, from the document, whoever is connected. */
import { Notification } from '@jupyterlab/apputils';
import { INotebookCellExecutor, INotebookModel, runCell } from '@jupyterlab/notebook';
import { PromiseDelegate } from '@lumino/coreutils';
import { RequestError } from './requests.js';
import { Room } from './room.js';
import { hasEnded, IExecution } from './runtimeDocument.js';
import { IRooms } from './tokens.js';

interface IWanted {
  readonly cellId: string;
  readonly queued: PromiseDelegate<string>;
}

export class RoomCellExecutor implements INotebookCellExecutor {
  constructor(private readonly _rooms: IRooms) {}

  async runCell(options: INotebookCellExecutor.IRunCellOptions): Promise<boolean> {
    const { cell, notebook, onCellExecuted, onCellExecutionScheduled } = options;
    const room = this._roomOf(notebook);
    if (room === undefined || cell.model.type !== 'code') {
      return runCell(options);
    }
    if (room.status?.executable === false) {
      explain(new RequestError('forbidden', 'Not permitted.'));
      return false;
    }
    if (!(await hasKernel(options, room))) {
      return true;
    }
    onCellExecutionScheduled({ cell });
    let execution: IExecution | null;
    try {
      const id = await this._queue(room, cell.model.sharedModel.getId());
      execution = await ended(room, id);
    } catch (error) {
      onCellExecuted({ cell, success: false });
      explain(error);
      return false;
    }
    const success = execution?.status === 'done';
    if (!cell.isDisposed) {
      onCellExecuted({ cell, success });
    }
    return success;
  }

  private _roomOf(notebook: INotebookModel): Room | undefined {
    return this._rooms.of(notebook.sharedModel as never);
  }

  /** JupyterLab runs several cells by asking for each in the same turn; the server gets them as one batch. */
  private _queue(room: Room, cellId: string): Promise<string> {
    const wanted: IWanted = { cellId, queued: new PromiseDelegate() };
    const batch = this._batches.get(room);
    if (batch !== undefined) {
      batch.push(wanted);
    } else {
      this._batches.set(room, [wanted]);
      queueMicrotask(() => void this._send(room));
    }
    return wanted.queued.promise;
  }

  private async _send(room: Room): Promise<void> {
    const batch = this._batches.get(room) ?? [];
    this._batches.delete(room);
    batch.forEach(({ cellId }) => room.bridge.materialize(cellId));
    try {
      const ids = await (batch.length === 1 ? runOne(room, batch[0].cellId) : runMany(room, batch));
      for (const { cellId, queued } of batch) {
        const id = ids.get(cellId);
        if (id === undefined) {
          queued.reject(new RequestError('no_such_cell', 'The server did not queue this cell.'));
        } else {
          queued.resolve(id);
        }
      }
    } catch (error) {
      batch.forEach(({ queued }) => queued.reject(error));
    }
  }

  private readonly _batches = new Map<Room, IWanted[]>();
}

async function runOne(room: Room, cellId: string): Promise<Map<string, string>> {
  const { execution_id } = await room.request('execute_cell', { cell_id: cellId }, true);
  return new Map([[cellId, String(execution_id)]]);
}

async function runMany(room: Room, batch: readonly IWanted[]): Promise<Map<string, string>> {
  const fields = { cell_ids: batch.map(({ cellId }) => cellId) };
  const { queued } = await room.request('run_all_cells', fields, true);
  const entries = queued as unknown as { cell_id: string; execution_id: string }[];
  return new Map(entries.map(entry => [entry.cell_id, entry.execution_id]));
}

/** The end of an execution; null when it is gone with its cell. */
function ended(room: Room, id: string): Promise<IExecution | null> {
  return new Promise((resolve, reject) => {
    let wasSeen = false;
    const look = (): void => {
      const execution = room.runtime.execution(id);
      wasSeen ||= execution !== null;
      if (room.isDisposed) {
        finish();
        reject(new RequestError('disconnected', 'The notebook was closed.'));
      } else if (execution === null ? wasSeen : hasEnded(execution)) {
        finish();
        resolve(execution);
      }
    };
    const finish = (): void => {
      room.changed.disconnect(look);
    };
    room.changed.connect(look);
    look();
  });
}

/** Whether there is a kernel, or the user chose one now; he may prefer none. */
async function hasKernel(
  { sessionContext, sessionDialogs }: INotebookCellExecutor.IRunCellOptions,
  room: Room
): Promise<boolean> {
  if (!sessionContext?.hasNoKernel || !room.isOnline || room.runtime.hasKernel) {
    return true;
  }
  const shouldSelect = await sessionContext.startKernel();
  if (shouldSelect && sessionDialogs) {
    await sessionDialogs.selectKernel(sessionContext);
  }
  return !sessionContext.hasNoKernel;
}

function explain(error: unknown): void {
  if (error instanceof RequestError) {
    const message =
      error.code === 'disconnected'
        ? 'The cell was not run: there is no connection to the server.'
        : error.code === 'forbidden'
          ? 'The cell was not run: you may not run cells in this notebook.'
          : `The cell was not run: ${error.message}`;
    Notification.warning(message, { autoClose: 5000 });
  } else {
    throw error;
  }
}

/** What the server is asked to do with the outputs of a cell, because somebody cleared or pasted it here. */
import { ISignal, Signal } from '@lumino/signaling';
import { Json, JsonObject } from './automerge.js';
import { RequestError } from './requests.js';

export interface IOutputsHost {
  /** Whether a cell shows any outputs of the document. */
  hasOutputs(cellId: string): boolean;
  /** Show again what the document says. */
  showOutputs(cellId: string): void;
  request(action: string, fields: JsonObject, withHeads: boolean): Promise<JsonObject>;
}

export class OutputRequests {
  constructor(private readonly _host: IOutputsHost) {}

  /** Somebody cleared a cell. */
  cleared(cellId: string): void {
    if (this._host.hasOutputs(cellId)) {
      this._host
        .request('clear_outputs', { cell_ids: [cellId] }, true)
        .catch(() => this._host.showOutputs(cellId));
    }
  }

  /** Somebody pasted a cell of another notebook, which has these outputs. */
  pasted(cellId: string, outputs: Json[], executionCount: Json): void {
    const fields = { cell_id: cellId, outputs, execution_count: executionCount };
    this._host.request('put_outputs', fields, true).catch(error => {
      this._host.showOutputs(cellId);
      this._failed.emit(error as RequestError);
    });
  }

  /** Outputs that were pasted could not be kept. */
  get failed(): ISignal<this, RequestError> {
    return this._failed;
  }

  private readonly _failed = new Signal<this, RequestError>(this);
}

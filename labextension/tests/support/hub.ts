/**
 * A room without a server, for tests: it says hello first, relays, and acknowledges, as the real one does.
 *
 * Its documents are written by the test; messages wait in the transport's queues until the test moves them.
 */
import './engine.js';
import { ISyncState, JsonObject, Replica, ROOT } from '../../src/automerge.js';
import {
  decodeFrame,
  decodeJson,
  encodeFrame,
  encodeJsonFrame,
  FrameType
} from '../../src/frames.js';
import { MemoryTransport } from '../../src/memoryTransport.js';

interface IPeer {
  transport: MemoryTransport;
  notebook: ISyncState;
  runtime: ISyncState;
  level: boolean;
}

export interface ICellFields {
  id: string;
  source: string;
  type?: string;
  position?: string;
  metadata?: JsonObject;
  executionId?: string | null;
}

export class Hub {
  notebook = new Replica();
  runtime = new Replica();
  status: JsonObject = {
    load: { phase: 'ready', done: 0, total: 0 },
    path: 'a.ipynb',
    peer_id: 'me'
  };
  readonly requests: JsonObject[] = [];
  readonly presence: JsonObject[] = [];
  private _epoch = 0;
  private readonly _peers = new Map<MemoryTransport, IPeer>();

  constructor(cells: readonly ICellFields[] = [], metadata: JsonObject = {}) {
    this.notebook.put(ROOT, 'schema_version', 1);
    this.notebook.put(ROOT, 'metadata', metadata);
    const all = this.notebook.makeMap(ROOT, 'cells');
    cells.forEach((cell, index) => this.addCell(cell, all, index));
    this.notebook.commit();
    this._beginRuntime();
  }

  private _beginRuntime(): void {
    this.runtime = new Replica();
    this.runtime.put(ROOT, 'schema_version', 1);
    this.runtime.put(ROOT, 'kernel', { name: 'python3', status: 'idle' });
    this.runtime.put(ROOT, 'executions', {});
    this.runtime.commit();
  }

  /** Begin the runtime document anew, without executions, as a server does whose history became too long. */
  renewRuntime(): void {
    this._beginRuntime();
    this._epoch += 1;
    for (const peer of this._peers.values()) {
      peer.runtime = this.runtime.newSyncState();
    }
    this.tellStatus();
  }

  addCell(cell: ICellFields, all = this.cells, index = 0): void {
    const object = this.notebook.makeMap(all, cell.id);
    this.notebook.put(object, 'id', cell.id);
    this.notebook.put(object, 'cell_type', cell.type ?? 'code');
    this.notebook.put(object, 'position', cell.position ?? `b${String.fromCharCode(97 + index)}i`);
    this.notebook.makeText(object, 'source', cell.source);
    this.notebook.put(object, 'metadata', cell.metadata ?? {});
    this.notebook.put(object, 'execution_id', cell.executionId ?? null);
  }

  get cells(): string {
    return this.notebook.object(ROOT, 'cells', 'map') as string;
  }

  cell(id: string): string {
    return this.notebook.object(this.cells, id, 'map') as string;
  }

  text(id: string): string {
    return this.notebook.object(this.cell(id), 'source', 'text') as string;
  }

  source(id: string): string {
    return this.notebook.text(this.text(id));
  }

  get order(): string[] {
    return this.notebook
      .keys(this.cells)
      .map(id => [String(this.notebook.value(this.cell(id), 'position')), id])
      .sort()
      .map(([, id]) => id);
  }

  /** Put an execution with these fields. */
  execution(id: string, fields: JsonObject): void {
    const executions = this.runtime.object(ROOT, 'executions', 'map') as string;
    this.runtime.put(executions, id, {
      status: 'done',
      outputs: {},
      submitted_by: 'alice',
      queued_at: 'now',
      ...fields
    });
  }

  connect(transport: MemoryTransport): void {
    this._peers.set(transport, {
      transport,
      notebook: this.notebook.newSyncState(),
      runtime: this.runtime.newSyncState(),
      level: false
    });
    transport.open();
    this._speak();
    this.tellStatus();
  }

  disconnect(transport: MemoryTransport): void {
    this._peers.delete(transport);
  }

  tellStatus(): void {
    const heads = this.notebook.heads;
    const body = {
      epochs: { notebook: 'n', runtime: `r${this._epoch}` },
      durable_heads: heads,
      saved_heads: heads,
      ...this.status
    };
    for (const { transport } of this._peers.values()) {
      transport.toClient.push(encodeJsonFrame(FrameType.Status, body));
    }
  }

  tell(type: FrameType, body: object): void {
    for (const { transport } of this._peers.values()) {
      transport.toClient.push(encodeJsonFrame(type, body));
    }
  }

  /** Take everything that has reached the hub, then say everything there is to say. */
  turn(): void {
    for (const peer of this._peers.values()) {
      for (const message of peer.transport.toServer.splice(0)) {
        this._take(peer, message);
      }
    }
    this._speak();
  }

  private _take(peer: IPeer, message: Uint8Array): void {
    const frame = decodeFrame(message);
    if (frame?.type === FrameType.NotebookSync) {
      this.notebook.receive(peer.notebook, frame.payload);
    } else if (frame?.type === FrameType.RuntimeSync) {
      this.runtime.receive(peer.runtime, frame.payload);
    } else if (frame?.type === FrameType.Request) {
      this.requests.push(decodeJson(frame.payload) as JsonObject);
    } else if (frame?.type === FrameType.Presence) {
      this.presence.push(decodeJson(frame.payload) as JsonObject);
    }
  }

  private _speak(): void {
    for (const peer of this._peers.values()) {
      for (;;) {
        const message = this.notebook.generate(peer.notebook);
        if (message === null) {
          break;
        }
        peer.transport.toClient.push(encodeFrame(FrameType.NotebookSync, message));
      }
      for (;;) {
        const message = this.runtime.generate(peer.runtime);
        if (message === null) {
          break;
        }
        peer.transport.toClient.push(encodeFrame(FrameType.RuntimeSync, message));
      }
    }
  }
}

/** Move messages until nothing moves any more. */
export function settle(hub: Hub, ...transports: MemoryTransport[]): void {
  for (let rounds = 0; rounds < 100; rounds++) {
    hub.turn();
    const moved = transports.reduce((sum, transport) => sum + transport.deliver(), 0);
    if (moved === 0 && transports.every(transport => transport.toServer.length === 0)) {
      return;
    }
  }
  throw new Error('the sync does not settle');
}

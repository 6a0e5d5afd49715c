/**
 * Reading the runtime document: kernel, executions and their outputs. Only the server writes it.
 *
 * What was read is kept until a patch touches it, so a cell that prints a lot costs what is new, not what is there.
 */
import { Json, JsonObject, ObjectId, Patch, Replica, ROOT } from './automerge.js';
import { isObject } from './notebookDocument.js';

export type ExecutionStatus = 'queued' | 'running' | 'done' | 'error' | 'cancelled';

export interface IInputRequest {
  readonly requestId: string;
  readonly prompt: string;
  readonly password: boolean;
}

/** An output as it stands in the document: nbformat's fields, with references in place of large content. */
export type Manifest = JsonObject;

export interface IExecution {
  readonly id: string;
  readonly cellId: string;
  readonly status: ExecutionStatus;
  readonly executionCount: number | null;
  readonly submittedBy: string;
  readonly queuedAt: string | null;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly error: JsonObject | null;
  readonly inputRequest: IInputRequest | null;
  /** In order. */
  readonly outputs: readonly Manifest[];
}

export interface IKernel {
  readonly status: string;
  readonly kernelId: string | null;
}

export interface IRuntimeChange {
  /** Null: all of it is new. */
  readonly executions: ReadonlySet<string> | null;
  readonly kernel: boolean;
}

const STATUSES = new Set<string>(['queued', 'running', 'done', 'error', 'cancelled']);
const KERNEL_LESS = new Set<string>(['not_started', 'dead', 'error']);
const ENDED = new Set<string>(['done', 'error', 'cancelled']);

export function hasEnded(execution: IExecution): boolean {
  return ENDED.has(execution.status);
}

/** Whether what it shows came from a kernel in this life of the server, not out of a file. */
export function isFromKernel(execution: IExecution): boolean {
  return execution.queuedAt !== null;
}

interface IKnown {
  object: ObjectId;
  execution: IExecution | null;
  outputs: Map<string, Manifest>;
}

export class RuntimeDocument {
  constructor(readonly replica: Replica) {}

  /** False as long as nothing has arrived. */
  get exists(): boolean {
    return this.replica.object(ROOT, 'executions', 'map') !== null;
  }

  get kernel(): IKernel {
    const kernel = this.replica.value(ROOT, 'kernel');
    const fields = isObject(kernel) ? kernel : {};
    return {
      status: asString(fields.status) ?? 'not_started',
      kernelId: asString(fields.kernel_id)
    };
  }

  /** Whether there is a kernel, or one on its way. */
  get hasKernel(): boolean {
    return !KERNEL_LESS.has(this.kernel.status);
  }

  execution(id: string): IExecution | null {
    const known = this._known.get(id) ?? this._find(id);
    if (known === null) {
      return null;
    }
    known.execution ??= this._read(id, known);
    return known.execution;
  }

  /** Take note of what changed. */
  update(patches: Patch[] | null): IRuntimeChange {
    if (patches === null) {
      this._known.clear();
      return { executions: null, kernel: true };
    }
    const executions = new Set<string>();
    let kernel = false;
    for (const { path } of patches) {
      const [root, id, field, output] = path;
      if (root === 'kernel') {
        kernel = true;
      }
      if (root !== 'executions' || typeof id !== 'string') {
        continue;
      }
      executions.add(id);
      const known = this._known.get(id);
      if (known === undefined) {
        continue;
      }
      known.execution = null;
      if (field === undefined || (field === 'outputs' && output === undefined)) {
        this._known.delete(id);
      } else if (field === 'outputs') {
        known.outputs.delete(String(output));
      }
    }
    return { executions, kernel };
  }

  private _find(id: string): IKnown | null {
    const executions = this.replica.object(ROOT, 'executions', 'map');
    const object = executions && this.replica.object(executions, id, 'map');
    if (!object) {
      return null;
    }
    const known: IKnown = { object, execution: null, outputs: new Map() };
    this._known.set(id, known);
    return known;
  }

  private _read(id: string, { object, outputs }: IKnown): IExecution {
    const field = (name: string): Json => this.replica.value(object, name) ?? null;
    const status = asString(field('status')) ?? '';
    const count = field('execution_count');
    const error = field('error');
    return {
      id,
      cellId: asString(field('cell_id')) ?? '',
      status: STATUSES.has(status) ? (status as ExecutionStatus) : 'done',
      executionCount: typeof count === 'number' ? count : null,
      submittedBy: asString(field('submitted_by')) ?? '',
      queuedAt: asString(field('queued_at')),
      startedAt: asString(field('started_at')),
      finishedAt: asString(field('finished_at')),
      error: isObject(error) ? error : null,
      inputRequest: inputRequest(field('input_request')),
      outputs: this._readOutputs(object, outputs)
    };
  }

  private _readOutputs(execution: ObjectId, known: Map<string, Manifest>): Manifest[] {
    const object = this.replica.object(execution, 'outputs', 'map');
    if (object === null) {
      return [];
    }
    const ids = this.replica.keys(object);
    for (const id of known.keys()) {
      if (!ids.includes(id)) {
        known.delete(id);
      }
    }
    for (const id of ids) {
      if (!known.has(id)) {
        const manifest = this.replica.value(object, id);
        if (isObject(manifest)) {
          known.set(id, manifest);
        }
      }
    }
    return [...known.entries()]
      .sort(([a, first], [b, second]) => seq(first) - seq(second) || (a < b ? -1 : 1))
      .map(([, manifest]) => manifest);
  }

  private readonly _known = new Map<string, IKnown>();
}

function seq(manifest: Manifest): number {
  return typeof manifest.seq === 'number' ? manifest.seq : 0;
}

function asString(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function inputRequest(value: Json): IInputRequest | null {
  if (!isObject(value) || typeof value.request_id !== 'string') {
    return null;
  }
  return {
    requestId: value.request_id,
    prompt: asString(value.prompt) ?? '',
    password: value.password === true
  };
}

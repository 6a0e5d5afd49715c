/**
 * Outputs: from the runtime document into the shared model, one way.
 *
 * JupyterLab's output area follows the shared model with limits of its own, which are the reason for the rules here:
 *
 * 1. It appends whatever is inserted, wherever it was inserted. So a change in the middle rewrites all that follows.
 * 2. It joins neighbouring streams of one name, and remembers the last name over removals. So they are joined before
 *    it sees them, and what is rewritten never begins with a stream, unless it is the first output.
 * 3. It reads an edit of a stream's text as if it were at the end of the last output, deletions after insertions. So a
 *    text that lost its end is cut in one transaction and grows in the next.
 */
import * as Y from 'yjs';
import { sameJson } from '../notebookDocument.js';
import { hasEnded, IExecution, isFromKernel, Manifest } from '../runtimeDocument.js';
import { BlobCache, mergeStreams, needsFetch, Output, placeholder, toOutput } from '../outputs.js';
import { YCellMap, yOutputs } from './cells.js';
import { OutputsMemory } from './outputsMemory.js';

export type Transact = (write: () => void) => void;

export interface IOutputsSource {
  /** The execution whose outputs a cell shows. */
  execution(cellId: string): IExecution | null;
  cell(cellId: string): YCellMap | null;
}

/** A cell that prints all the time is shown so often. */
const INTERVAL_MS = 40;
/** So many cells get their outputs before others have their turn. */
const IN_A_TURN = 40;

export class OutputsMirror {
  constructor(
    private readonly _source: IOutputsSource,
    private readonly _blobs: BlobCache,
    private readonly _transact: Transact
  ) {}

  /** Show what a cell's execution says now, or soon when that was done only just before. */
  refresh(cellId: string): void {
    if (this._timers.has(cellId)) {
      this._late.add(cellId);
      return;
    }
    void this.show(cellId);
    const timer = setTimeout(() => {
      this._timers.delete(cellId);
      if (this._late.delete(cellId)) {
        this.refresh(cellId);
      }
    }, INTERVAL_MS);
    this._timers.set(cellId, timer);
  }

  /** Show what all these cells' executions say, some in each turn: JupyterLab needs a while for each. */
  showInTurns(cellIds: readonly string[]): void {
    clearTimeout(this._turn);
    const now = cellIds.slice(0, IN_A_TURN);
    const isEmpty = (id: string): boolean => {
      const cell = this._source.cell(id);
      return cell !== null && yOutputs(cell)?.length === 0;
    };
    this._transact(() => now.filter(isEmpty).forEach(id => void this.show(id)));
    now.filter(id => !isEmpty(id)).forEach(id => void this.show(id)); // rule 3
    if (cellIds.length > IN_A_TURN) {
      this._turn = setTimeout(() => this.showInTurns(cellIds.slice(IN_A_TURN)));
    }
  }

  readonly memory = new OutputsMemory();

  /** From now on what is large is fetched only for cells that came near to what somebody sees. */
  beLazy(): void {
    this._near ??= new Set();
  }

  /** A cell is about to be seen. */
  approach(cellId: string): void {
    if (this._near !== null && !this._near.has(cellId)) {
      this._near.add(cellId);
      void this.show(cellId);
    }
  }

  dispose(): void {
    this._isDisposed = true;
    clearTimeout(this._turn);
    for (const timer of this._timers.values()) {
      clearTimeout(timer);
    }
    this._timers.clear();
  }

  /**
   * Show it at once.
   *
   * @returns fulfilled when what had to be fetched is shown, too
   */
  async show(cellId: string): Promise<void> {
    const cell = this._source.cell(cellId);
    if (cell === null || yOutputs(cell) === null) {
      return;
    }
    const execution = this._source.execution(cellId);
    this._showState(cell, execution);
    const version = (this._versions.get(cellId) ?? 0) + 1;
    this._versions.set(cellId, version);
    const outputs = this._convert(execution?.outputs ?? [], this._near?.has(cellId) ?? true);
    if (!(outputs instanceof Promise)) {
      this._showOutputs(cellId, cell, execution, outputs);
      return;
    }
    const ready = await outputs;
    const now = this._source.cell(cellId);
    if (!this._isDisposed && this._versions.get(cellId) === version && now !== null) {
      this._showOutputs(cellId, now, execution, ready);
    }
  }

  private _showOutputs(
    cellId: string,
    cell: YCellMap,
    execution: IExecution | null,
    outputs: Output[]
  ): void {
    this._write(cell, outputs);
    const isFinal = execution !== null && hasEnded(execution);
    this.memory.note(cellId, isFinal ? execution.id : null, outputs);
  }

  private _showState(cell: YCellMap, execution: IExecution | null): void {
    // JupyterLab takes a count for the end of a run.
    const isIdle = execution === null || hasEnded(execution);
    const count = isIdle ? (execution?.executionCount ?? null) : null;
    const state = isIdle ? 'idle' : 'running';
    if (
      (cell.get('execution_count') ?? null) === count &&
      (cell.get('execution_state') ?? 'idle') === state
    ) {
      return;
    }
    this._transact(() => {
      cell.set('execution_count', count);
      cell.set('execution_state', state);
    });
  }

  private _convert(manifests: readonly Manifest[], isNear: boolean): Output[] | Promise<Output[]> {
    const outputs = manifests.map(manifest =>
      isNear || !needsFetch(manifest) ? toOutput(manifest, this._blobs) : placeholder(manifest)
    );
    return outputs.some(output => output instanceof Promise)
      ? Promise.all(outputs).then(mergeStreams)
      : mergeStreams(outputs as Output[]);
  }

  private _write(cell: YCellMap, wanted: readonly Output[]): void {
    const shown = yOutputs(cell);
    if (shown === null) {
      return;
    }
    const before = shown.toJSON() as Output[];
    let same = 0;
    while (same < before.length && same < wanted.length && sameJson(before[same], wanted[same])) {
      same++;
    }
    if (same === before.length - 1 && isSameStream(before[same], wanted[same])) {
      this._writeText(shown.get(same).get('text') as Y.Text, String(wanted[same].text));
      same++;
    }
    if (same < before.length) {
      // Rules 1 and 2.
      while (same > 0 && same < wanted.length && isStream(wanted[same])) {
        same--;
      }
      if (same >= wanted.length) {
        same = 0;
      }
    }
    if (same === before.length && same === wanted.length) {
      return;
    }
    this._transact(() => {
      if (same < before.length) {
        shown.delete(same, before.length - same);
      }
      if (same < wanted.length) {
        shown.push(wanted.slice(same).map(makeYOutput));
      }
    });
  }

  private _writeText(text: Y.Text, wanted: string): void {
    const before = text.toString();
    let same = 0;
    if (wanted.startsWith(before)) {
      same = before.length;
    } else {
      while (same < before.length && same < wanted.length && before[same] === wanted[same]) {
        same++;
      }
    }
    if (same < before.length) {
      this._transact(() => text.delete(same, before.length - same)); // rule 3
    }
    if (same < wanted.length) {
      this._transact(() => text.insert(same, wanted.slice(same)));
    }
  }

  /** Cells that came near; null: all count as such. */
  private _near: Set<string> | null = null;
  private _isDisposed = false;
  private _turn: ReturnType<typeof setTimeout> | undefined;
  private readonly _versions = new Map<string, number>();
  private readonly _timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly _late = new Set<string>();
}

/**
 * Whether a cell may run scripts: what it shows came from the kernel, or it shows nothing.
 *
 * @param executionId of the execution the cell names
 * @param execution null when there is none, or when it has not arrived yet: then nothing is known of it
 */
export function isTrusted(executionId: string | null, execution: IExecution | null): boolean {
  if (executionId === null) {
    return true;
  }
  return execution !== null && (isFromKernel(execution) || execution.outputs.length === 0);
}

function isStream(output: Output): boolean {
  return output.output_type === 'stream';
}

function isSameStream(a: Output | undefined, b: Output | undefined): boolean {
  return a !== undefined && b !== undefined && isStream(a) && isStream(b) && a.name === b.name;
}

function makeYOutput(output: Output): Y.Map<unknown> {
  return new Y.Map<unknown>(
    Object.entries(isStream(output) ? { ...output, text: new Y.Text(String(output.text)) } : output)
  );
}

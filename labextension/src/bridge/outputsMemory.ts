/** What cells showed last, and of which execution: a cell that is pasted with the same outputs shows the same one. */
import { sameJson } from '../notebookDocument.js';
import { Output } from '../outputs.js';

interface IShown {
  readonly executionId: string;
  readonly outputs: readonly Output[];
}

export class OutputsMemory {
  /** Cells that are gone are kept, too: what was cut or copied before may still be pasted. */
  note(cellId: string, executionId: string | null, outputs: readonly Output[]): void {
    if (executionId === null || outputs.length === 0) {
      this._shown.delete(cellId);
    } else {
      this._shown.set(cellId, { executionId, outputs });
    }
  }

  /** The execution that made these outputs; null when none is known. */
  find(outputs: readonly Output[]): string | null {
    if (outputs.length === 0) {
      return null;
    }
    for (const shown of this._shown.values()) {
      if (sameJson(shown.outputs, outputs)) {
        return shown.executionId;
      }
    }
    return null;
  }

  private readonly _shown = new Map<string, IShown>();
}

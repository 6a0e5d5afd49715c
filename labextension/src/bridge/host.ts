/** What a bridge needs of its room. */
import { NotebookDocument } from '../notebookDocument.js';
import { OutputRequests } from '../outputRequests.js';
import { BlobCache } from '../outputs.js';
import { IExecution, RuntimeDocument } from '../runtimeDocument.js';
import { StoreBlob } from './attachments.js';

export interface IBridgeHost {
  readonly notebook: NotebookDocument;
  readonly runtime: RuntimeDocument;
  readonly writable: boolean;
  /** The rest of the notebook, and its outputs, may still take a while. */
  readonly isLoading: boolean;
  /** The cell this user is in. */
  readonly focus: string | null;
  /** Others have deleted the cell this user was in; this one, if any, has its place. */
  focusLost(next: string | null): void;
  /** These cells are new, show another execution, or their execution has news; null: all of them. */
  cellsShown(cellIds: ReadonlySet<string> | null): void;
  /** Somebody edited here. */
  edited(): void;
  /** What somebody did to outputs here. */
  readonly outputRequests: OutputRequests;
  readonly blobs: BlobCache;
  readonly storeBlob: StoreBlob;
}

/** The execution whose outputs a cell shows. */
export function executionOf(
  { notebook, runtime }: Pick<IBridgeHost, 'notebook' | 'runtime'>,
  cellId: string
): IExecution | null {
  const id = notebook.executionId(cellId);
  return id === null ? null : runtime.execution(id);
}

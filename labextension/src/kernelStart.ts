/** When JupyterLab starts the kernel of a notebook, and what happens when the connection is lost over it. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { Room } from './room.js';
import { backoffSeconds } from './transport.js';

/** What a session context does when a kernel could not be started; JupyterLab has no other way to it. */
interface IErrorHandling {
  _handleSessionError(error: unknown): Promise<void>;
  _displayKernelError(message: string, traceback: string): Promise<void>;
}

/**
 * Start the kernel when the notebook is there, without questions that answer themselves.
 *
 * 1. JupyterLab would ask which kernel to start as long as that part of a large file has not been read.
 * 2. A server that goes away while it starts a kernel is no reason for a dialog: it is asked again when it is back.
 */
export function startKernelQuietly({ context, sessionContext }: NotebookPanel, room: Room): void {
  const initialize = sessionContext.initialize.bind(sessionContext);
  let losses = 0;
  followLosses(sessionContext, () => {
    setTimeout(() => void startAgain(sessionContext, room), backoffSeconds(losses++) * 1000);
  });
  sessionContext.initialize = async () => {
    const isLoaded = await room.opening.complete.then(
      () => true,
      () => false
    );
    if (!isLoaded || sessionContext.isDisposed) {
      return false;
    }
    const { kernelPreference } = sessionContext;
    const { defaultKernelName, defaultKernelLanguage } = context.model;
    sessionContext.kernelPreference = {
      ...kernelPreference,
      name: defaultKernelName || kernelPreference.name,
      language: defaultKernelLanguage
    };
    const before = losses;
    const shouldAsk = await initialize();
    return shouldAsk && losses === before;
  };
}

/** Call back, instead of showing a dialog, when a kernel could not be started because the connection was lost. */
function followLosses(sessionContext: ISessionContext, lost: () => void): void {
  const context = sessionContext as unknown as IErrorHandling;
  const handle = context._handleSessionError.bind(context);
  const display = context._displayKernelError.bind(context);
  let isLoss = false;
  context._handleSessionError = error => {
    isLoss = error instanceof ServerConnection.NetworkError;
    return handle(error);
  };
  context._displayKernelError = async (message, traceback) => {
    if (isLoss) {
      isLoss = false;
      lost();
    } else {
      await display(message, traceback);
    }
  };
}

async function startAgain(sessionContext: ISessionContext, room: Room): Promise<void> {
  await online(room);
  if (!room.isDisposed && !sessionContext.isDisposed && sessionContext.hasNoKernel) {
    await sessionContext.startKernel();
  }
}

/** Fulfilled when the room is connected, or never when it is closed before. */
function online(room: Room): Promise<void> {
  return new Promise(resolve => {
    const look = (): void => {
      if (room.isOnline) {
        room.changed.disconnect(look);
        resolve();
      }
    };
    room.changed.connect(look);
    look();
  });
}

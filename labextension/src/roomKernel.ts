/**
 * JupyterLab's own connection to the kernel of a room, for all that it does beside running cells: completion, the
 * inspector, widgets, the debugger, consoles.
 *
 * 1. The room starts the kernel, once, however many tabs ask for it. A server that goes away meanwhile is asked again
 *    when it is back.
 * 2. It is started when the notebook is there: before, it is not known which one it wants.
 * 3. When the room has another kernel than before, JupyterLab is connected to it.
 * 4. When the server is back after a loss, JupyterLab is connected to the kernel at once. A kernel that is gone with
 *    the server is replaced, and who has run cells in it is told so.
 * 5. Who may not run cells is connected to no kernel: the server would refuse it again and again.
 * 6. Nothing of this asks anything.
 */
import { ISessionContext, Notification, SessionContext } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, Session } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { RequestError } from './requests.js';
import { Room } from './room.js';
import type { RoomChange } from './roomOptions.js';
import { isFromKernel } from './runtimeDocument.js';
import { backoffSeconds } from './transport.js';

/** The server gives a kernel a minute to answer, and may have to try it twice. */
const LAUNCH_DEADLINE_MS = 180_000;
/** So often the server is asked for the session of a kernel that it has just told of. */
const SESSION_TRIES = 6;
const FIRST_LOOK_MS = 100;
const HINT_MS = 15_000;

/** How a session context begins to use a session; JupyterLab has no public way after `initialize`. */
interface ISessionUser {
  _handleNewSession(session: Session.ISessionConnection): void;
}

interface ILostKernel {
  readonly id: string;
  readonly name: string;
  /** Whether there may be variables in it. */
  readonly wasUsed: boolean;
}

export class RoomKernel {
  /**
   * @param panel has not been initialized
   * @param contexts all session contexts of the page that are at the notebook's path, the panel's and consoles'
   */
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _room: Room,
    private readonly _contexts: () => ISessionContext[]
  ) {
    const context = _panel.sessionContext;
    this._startPlainly = context.startKernel.bind(context);
    this._initializePlainly = context.initialize.bind(context);
    context.startKernel = () => this._start();
    context.initialize = () => this._initialize();
    _room.changed.connect(this._onChange, this);
    _panel.disposed.connect(() => Signal.clearData(this));
  }

  private async _initialize(): Promise<boolean> {
    const context = this._panel.sessionContext;
    const isLoaded = await this._room.opening.complete.then(
      () => true,
      () => false
    );
    if (!isLoaded || context.isDisposed) {
      return false;
    }
    const { kernelPreference } = context;
    const { defaultKernelName, defaultKernelLanguage } = this._panel.context.model;
    context.kernelPreference = {
      ...kernelPreference,
      name: defaultKernelName || kernelPreference.name,
      language: defaultKernelLanguage,
      ...(this._isPermitted ? {} : { canStart: false, shouldReuse: false })
    };
    const shouldAsk = await this._initializePlainly();
    this._isInitialized = true;
    if (!this._isPermitted) {
      // JupyterLab tells nobody that there will be no kernel, and would go on saying that it starts.
      (context.statusChanged as Signal<ISessionContext, Kernel.Status>).emit('unknown');
    }
    this._follow();
    return shouldAsk;
  }

  /** @returns whether to ask the user for a kernel */
  private async _start(): Promise<boolean> {
    const { kernelPreference, specsManager, sessionManager } = this._panel.sessionContext;
    const name = SessionContext.getDefaultKernel({
      specs: specsManager.specs,
      sessions: sessionManager.running(),
      preference: kernelPreference
    });
    if (kernelPreference.id || name === null) {
      return this._startPlainly(); // a certain kernel, or one that has to be chosen
    }
    try {
      await this._launch(name);
      return false;
    } catch (error) {
      if (error instanceof RequestError) {
        return this._startPlainly(); // it fails as well, and JupyterLab says why
      }
      throw error;
    }
  }

  /** Let JupyterLab make a session for a kernel that has none at the path by which the notebook was opened, a link's. */
  private async _join(kernelId: string): Promise<void> {
    const context = this._panel.sessionContext;
    const { kernelPreference } = context;
    context.kernelPreference = { ...kernelPreference, id: kernelId };
    await this._startPlainly();
    context.kernelPreference = kernelPreference;
  }

  /** Have the room start a kernel, and connect JupyterLab to it; never ends when the notebook is closed before. */
  private async _launch(name: string): Promise<void> {
    for (;;) {
      await online(this._room);
      try {
        const fields = { kernel_name: name };
        const launch = this._room.request('start_kernel', fields, false, LAUNCH_DEADLINE_MS);
        void this._connectEarly(launch);
        const kernelId = String((await launch).kernel_id);
        if (!this._isLink && (await this._connect(kernelId))) {
          return;
        }
        if (this._room.isOnline) {
          return await this._join(kernelId);
        }
      } catch (error) {
        if (!(error instanceof RequestError) || error.code !== 'disconnected') {
          throw error;
        }
      }
    }
  }

  /** The session is there before its kernel answers: JupyterLab shows that it starts. */
  private async _connectEarly(launch: Promise<unknown>): Promise<void> {
    let isOver = false;
    const end = (): void => void (isOver = true);
    launch.then(end, end);
    for (let wait = FIRST_LOOK_MS; !isOver; wait *= 2) {
      await new Promise(resolve => setTimeout(resolve, wait));
      if (isOver || (await this._find(null))) {
        return;
      }
    }
  }

  /**
   * Connect JupyterLab to a kernel of the room.
   *
   * @param isLost whether the connection JupyterLab has was lost with the room's, and may wait long before it is tried
   * @returns whether it is; false when the server went away, or the kernel
   */
  private async _connect(kernelId: string, isLost = false): Promise<boolean> {
    for (let tries = 0; tries < SESSION_TRIES && this._room.isOnline; tries++) {
      if (tries > 0) {
        await new Promise(resolve => setTimeout(resolve, backoffSeconds(tries) * 1000));
      }
      if (await this._find(kernelId, isLost)) {
        return true;
      }
    }
    return this._panel.isDisposed;
  }

  /** Connect JupyterLab if there is a session, with a certain kernel or any; whether there is. */
  private async _find(kernelId: string | null, isLost = false): Promise<boolean> {
    const { sessionManager } = this._panel.sessionContext;
    await sessionManager.refreshRunning(); // those who have a session go along with it, or lose it
    if (this._panel.isDisposed) {
      return true;
    }
    const { path } = this._panel.sessionContext;
    const model = [...sessionManager.running()].find(
      ({ path: at, kernel }) => at === path && kernel && kernel.id === (kernelId ?? kernel.id)
    );
    if (model === undefined) {
      return false;
    }
    this._contexts().forEach(context => connect(context, model, isLost));
    return true;
  }

  private _onChange(_: Room, change: RoomChange): void {
    if (change === 'kernel') {
      this._isUnknown = false;
      this._follow();
    } else if (change === 'connection' && this._room.connection === 'offline') {
      this._isUnknown = true;
      this._lost ??= this._present();
    }
  }

  /** The room says which kernel it has. */
  private _follow(): void {
    const isIdle = !this._isInitialized || this._isUnknown || this._panel.isDisposed;
    if (isIdle || !this._isPermitted) {
      return;
    }
    const { kernelId } = this._room.runtime.kernel;
    const lost = this._lost;
    this._lost = null;
    if (kernelId !== null) {
      void this._connect(kernelId, lost !== null);
    } else {
      void this._panel.sessionContext.sessionManager.refreshRunning();
      if (lost !== null) {
        void this._replace(lost);
      }
    }
    if (lost?.wasUsed && lost.id !== kernelId) {
      this._tellOfLoss();
    }
  }

  private async _replace({ name }: ILostKernel): Promise<void> {
    try {
      await this._launch(name);
    } catch (error) {
      if (!(error instanceof RequestError)) {
        throw error;
      }
      Notification.warning(`${this._name} has no kernel: ${error.message}`, { autoClose: HINT_MS });
    }
  }

  private _tellOfLoss(): void {
    const text = `The kernel of ${this._name} ended with the server. Its variables are gone; run the cells again.`;
    Notification.info(text, { autoClose: HINT_MS });
  }

  private _present(): ILostKernel | null {
    const kernel = this._panel.sessionContext.session?.kernel;
    if (!kernel) {
      return null;
    }
    const executions = this._room.notebook.order.map(id => this._room.execution(id));
    const wasUsed = executions.some(execution => execution !== null && isFromKernel(execution));
    return { id: kernel.id, name: kernel.name, wasUsed };
  }

  private get _isPermitted(): boolean {
    return this._room.status?.executable !== false;
  }

  /** Whether the notebook was opened by another path than the room has. */
  private get _isLink(): boolean {
    const path = this._room.status?.path ?? null;
    return path !== null && path !== this._panel.sessionContext.path;
  }

  private get _name(): string {
    return this._panel.sessionContext.name;
  }

  private readonly _startPlainly: () => Promise<boolean>;
  private readonly _initializePlainly: () => Promise<boolean>;
  private _isInitialized = false;
  /** The server was away, and has not said yet whether there is a kernel. */
  private _isUnknown = false;
  /** What JupyterLab was connected to when the server went away. */
  private _lost: ILostKernel | null = null;
}

function connect(context: ISessionContext, model: Session.IModel, isLost: boolean): void {
  const kernel = context.session?.kernel;
  if (context.isDisposed || (kernel && kernel.id !== model.kernel?.id)) {
    return; // it goes along with its own session
  }
  if (!context.session) {
    (context as unknown as ISessionUser)._handleNewSession(
      context.sessionManager.connectTo({ model })
    );
  } else if (isLost && kernel && !kernel.isDisposed && kernel.connectionStatus !== 'connected') {
    kernel.reconnect().catch(() => undefined); // its status says so
  }
}

/** Fulfilled when the room is connected, or never when it is closed before. */
function online(room: Room): Promise<void> {
  return new Promise(resolve => {
    const look = (): void => {
      if (room.isOnline && !room.isDisposed) {
        room.changed.disconnect(look);
        resolve();
      }
    };
    room.changed.connect(look);
    look();
  });
}

/** Frames over a WebSocket that is made anew whenever it is lost. No user interface, no Automerge. */

/** What is told of a transport. */
export interface ITransportListener {
  opened(): void;
  received(message: Uint8Array): void;
  /**
   * The connection ended, or could not be made.
   *
   * @param code the server's close code; 1006 when there was none
   * @returns whether to come back
   */
  closed(code: number, reason: string): boolean | Promise<boolean>;
}

export interface ITransport {
  readonly isOpen: boolean;
  /** Connect, and again after each loss. */
  start(listener: ITransportListener): void;
  send(message: Uint8Array): void;
  /** Give the present connection up, and make another at once. */
  reset(): void;
  /** End for good. */
  dispose(): void;
}

/** Seconds until the next try: they double, up to a limit, and are spread so that many tabs do not come at once. */
export function backoffSeconds(failures: number, random: () => number = Math.random): number {
  return Math.min(15, 0.25 * 2 ** Math.min(failures, 8)) * (0.5 + random());
}

/** How long a socket may take to open. */
const OPEN_DEADLINE_MS = 15_000;
/** A connection that ends sooner was none: who is sent away at once does not come back at once. */
const STANDS_MS = 5_000;

export class WebSocketTransport implements ITransport {
  constructor(
    private readonly _connect: () => WebSocket,
    private readonly _page: EventTarget = globalThis
  ) {}

  get isOpen(): boolean {
    return this._socket?.readyState === WebSocket.OPEN;
  }

  start(listener: ITransportListener): void {
    this._listener = listener;
    // The network is back, or the lid is open again: no reason to wait out the delay.
    this._page.addEventListener('online', this._onWake);
    this._page.addEventListener('pageshow', this._onWake);
    this._open();
  }

  send(message: Uint8Array): void {
    if (this.isOpen) {
      this._socket?.send(message as Uint8Array<ArrayBuffer>);
    }
  }

  reset(): void {
    const socket = this._socket;
    if (socket !== null) {
      this._drop(socket);
      void this._lost(1006, 'given up');
    }
  }

  dispose(): void {
    this._isDisposed = true;
    clearTimeout(this._timer);
    this._page.removeEventListener('online', this._onWake);
    this._page.removeEventListener('pageshow', this._onWake);
    if (this._socket !== null) {
      this._drop(this._socket);
    }
  }

  private _open(): void {
    clearTimeout(this._timer);
    this._isWaiting = false;
    if (this._isDisposed || this._socket !== null) {
      return;
    }
    const socket = this._connect();
    this._socket = socket;
    socket.binaryType = 'arraybuffer';
    const deadline = setTimeout(() => this._socket === socket && this.reset(), OPEN_DEADLINE_MS);
    socket.onopen = () => {
      clearTimeout(deadline);
      this._standing = setTimeout(() => void (this._failures = 0), STANDS_MS);
      this._listener?.opened();
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data instanceof ArrayBuffer) {
        this._listener?.received(new Uint8Array(data));
      }
    };
    socket.onclose = ({ code, reason }) => {
      clearTimeout(deadline);
      this._drop(socket);
      void this._lost(code, reason);
    };
  }

  private _drop(socket: WebSocket): void {
    clearTimeout(this._standing);
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    if (this._socket === socket) {
      this._socket = null;
    }
  }

  private async _lost(code: number, reason: string): Promise<void> {
    const comesBack = await this._listener?.closed(code, reason);
    if (!comesBack || this._isDisposed || this._socket !== null) {
      return;
    }
    this._timer = setTimeout(() => this._open(), backoffSeconds(this._failures++) * 1000);
    this._isWaiting = true;
  }

  private readonly _onWake = (): void => {
    if (this._isWaiting) {
      this._failures = 0;
      this._open();
    }
  };

  private _listener: ITransportListener | null = null;
  private _socket: WebSocket | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _standing: ReturnType<typeof setTimeout> | undefined;
  private _failures = 0;
  private _isWaiting = false;
  private _isDisposed = false;
}

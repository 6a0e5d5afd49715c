/** A transport with no network, for tests: messages lie in two queues until the test moves them. */
import { ITransport, ITransportListener } from './transport.js';

export class MemoryTransport implements ITransport {
  /** On their way to the server, and to us. */
  readonly toServer: Uint8Array[] = [];
  readonly toClient: Uint8Array[] = [];

  get isOpen(): boolean {
    return this._isOpen;
  }

  /** How often the other side asked for a new connection. */
  resets = 0;

  start(listener: ITransportListener): void {
    this._listener = listener;
  }

  send(message: Uint8Array): void {
    if (this._isOpen) {
      this.toServer.push(message);
    }
  }

  reset(): void {
    this.resets++;
    void this.lose();
  }

  dispose(): void {
    this._isOpen = false;
  }

  open(): void {
    this._isOpen = true;
    this._listener?.opened();
  }

  /** Break the connection; what is under way is lost. */
  async lose(code = 1006): Promise<boolean> {
    this._isOpen = false;
    this.toServer.length = 0;
    this.toClient.length = 0;
    return (await this._listener?.closed(code, '')) ?? false;
  }

  /** Hand the client so many of the messages that wait for it. */
  deliver(count = Infinity): number {
    let moved = 0;
    while (moved < count && this._isOpen) {
      const message = this.toClient.shift();
      if (message === undefined) {
        break;
      }
      this._listener?.received(message);
      moved++;
    }
    return moved;
  }

  private _listener: ITransportListener | null = null;
  private _isOpen = false;
}

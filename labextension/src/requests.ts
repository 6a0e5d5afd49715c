/** Requests of a socket: each has an id, an answer and a deadline. */
import { Json, JsonObject } from './automerge.js';
import { isObject } from './notebookDocument.js';
import { readError } from './status.js';

/** The server, or the lack of one, said no. */
export class RequestError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly details: JsonObject = {}
  ) {
    super(message);
    this.name = 'RequestError';
  }
}

/** The file is there, and cannot be read as a notebook. */
export class LoadError extends Error {
  constructor(message = 'The notebook could not be loaded, and the server did not say why.') {
    super(message);
  }
}

interface IPending {
  resolve(result: JsonObject): void;
  reject(error: RequestError): void;
  timer: ReturnType<typeof setTimeout>;
}

/** Longer than the server's own limits, which should be the ones to speak. */
const DEADLINE_MS = 45_000;

export class Requests {
  /**
   * Send a request and wait for its answer.
   *
   * @param send posts the request; false when there is no connection
   */
  ask(
    action: string,
    fields: { readonly [name: string]: Json | undefined },
    send: (body: object) => boolean,
    deadlineMs: number = DEADLINE_MS
  ): Promise<JsonObject> {
    const id = String(++this._last);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this._pending.delete(id);
        reject(new RequestError('no_answer', `The server did not answer (${action}).`));
      }, deadlineMs);
      this._pending.set(id, { resolve, reject, timer });
      if (!send({ id, action, ...fields })) {
        this._take(id)?.reject(disconnected());
      }
    });
  }

  /** Take an answer; one that nobody waits for any more is dropped. */
  answered(body: unknown): void {
    if (!isObject(body)) {
      return;
    }
    const pending = this._take(String(body.id));
    if (body.ok === true) {
      pending?.resolve(isObject(body.result) ? body.result : {});
    } else {
      const { code, message } = readError(body.error);
      pending?.reject(new RequestError(code, message, isObject(body.error) ? body.error : {}));
    }
  }

  /** The connection is gone, and with it the answers. */
  lost(): void {
    for (const id of [...this._pending.keys()]) {
      this._take(id)?.reject(disconnected());
    }
  }

  private _take(id: string): IPending | undefined {
    const pending = this._pending.get(id);
    clearTimeout(pending?.timer);
    this._pending.delete(id);
    return pending;
  }

  private _last = 0;
  private readonly _pending = new Map<string, IPending>();
}

function disconnected(): RequestError {
  return new RequestError('disconnected', 'There is no connection to the server.');
}

/** REST calls, each with a deadline. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { Heads, JsonObject } from './automerge.js';
import { isObject } from './notebookDocument.js';
import { RequestError } from './requests.js';
import { readError } from './status.js';

const ROOT = 'api/runtimed';
const DEADLINE_MS = 60_000;
const SUB_PROTOCOL = 'v1.runtimed.jupyter.org';

/** So many blobs are fetched at a time; the rest of the page wants connections, too. */
const PARALLEL_BLOBS = 4;

export interface IRoomInfo {
  readonly roomId: string;
  readonly path: string | null;
}

/** What statuses have last said of a replica that is handed over. */
export interface IHeadsSaid {
  readonly saved_heads: Heads;
  readonly durable_heads: Heads;
}

/** What a room needs of the server besides a socket. */
export interface IRoomServer {
  openRoom(path: string): Promise<IRoomInfo>;
  merge(roomId: string, document: Uint8Array, said: IHeadsSaid): Promise<string[]>;
  blob(hash: string): Promise<Uint8Array>;
  storeBlob(data: Uint8Array): Promise<JsonObject>;
}

export class RestClient {
  constructor(private readonly _settings: ServerConnection.ISettings) {}

  /** Whether the server has rooms. */
  async isAvailable(): Promise<boolean> {
    const response = await this._fetch(this._url(), {});
    if (response.ok) {
      const body: unknown = await response.json();
      return isObject(body) && body.protocol === 1;
    }
    return false;
  }

  /** The room of a file; its load goes on behind the answer. */
  async openRoom(path: string): Promise<IRoomInfo> {
    const body = await this._json(this._url('rooms'), {
      method: 'POST',
      body: JSON.stringify({ path })
    });
    return {
      roomId: String(body.room_id),
      path: typeof body.path === 'string' ? body.path : null
    };
  }

  /**
   * Hand over a replica of another lineage, and what statuses have said of it; ids of cells that could be placed
   * nowhere else.
   */
  async merge(roomId: string, document: Uint8Array, said: IHeadsSaid): Promise<string[]> {
    const known = Object.entries(said).filter(([, heads]) => heads.length > 0);
    const query = known
      .map(([name, heads], at) => `${at === 0 ? '?' : '&'}${name}=${heads.join(',')}`)
      .join('');
    const body = await this._json(this._url('rooms', roomId, 'merge') + query, {
      method: 'POST',
      body: document as Uint8Array<ArrayBuffer>,
      headers: { 'Content-Type': 'application/octet-stream' }
    });
    return Array.isArray(body.kept_aside) ? body.kept_aside.map(String) : [];
  }

  async blob(hash: string): Promise<Uint8Array> {
    while (this._fetching >= PARALLEL_BLOBS) {
      await new Promise<void>(resolve => this._waiting.push(resolve));
    }
    this._fetching++;
    try {
      const response = await this._checked(this._url('blobs', hash), {});
      return new Uint8Array(await response.arrayBuffer());
    } finally {
      this._fetching--;
      this._waiting.shift()?.();
    }
  }

  async storeBlob(data: Uint8Array): Promise<JsonObject> {
    const { blob, size } = await this._json(this._url('blobs'), {
      method: 'POST',
      body: data as Uint8Array<ArrayBuffer>,
      headers: { 'Content-Type': 'application/octet-stream' }
    });
    return { blob, size };
  }

  /** A new socket of a room. */
  connect(roomId: string): WebSocket {
    const url = new URL(URLExt.join(this._settings.wsUrl, ROOT, 'rooms', roomId, 'sync'));
    if (this._settings.appendToken && this._settings.token) {
      url.searchParams.set('token', this._settings.token);
    }
    return new this._settings.WebSocket(url.href, [SUB_PROTOCOL]);
  }

  private _url(...parts: string[]): string {
    return URLExt.join(this._settings.baseUrl, ROOT, ...parts.map(encodeURIComponent));
  }

  private async _json(url: string, init: RequestInit): Promise<JsonObject> {
    const body: unknown = await (await this._checked(url, init)).json();
    return isObject(body) ? body : {};
  }

  private async _checked(url: string, init: RequestInit): Promise<Response> {
    const response = await this._fetch(url, init);
    if (!response.ok) {
      const body: unknown = await response.json().catch(() => null);
      const { code, message } = readError(body);
      throw new RequestError(code, message, {
        ...(isObject(body) ? body : {}),
        status: response.status
      });
    }
    return response;
  }

  private async _fetch(url: string, init: RequestInit): Promise<Response> {
    try {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      return await ServerConnection.makeRequest(url, { ...init, signal }, this._settings);
    } catch (error) {
      throw new RequestError(
        'disconnected',
        error instanceof Error ? error.message : String(error)
      );
    }
  }

  private _fetching = 0;
  private readonly _waiting: (() => void)[] = [];
}

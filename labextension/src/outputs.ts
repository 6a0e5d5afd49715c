/** Manifests of the runtime document as nbformat's outputs; what stands in blobs is fetched. */
import { Json, JsonObject } from './automerge.js';
import { isObject } from './notebookDocument.js';
import { Manifest } from './runtimeDocument.js';

/** An output as nbformat has it. */
export type Output = JsonObject & { output_type: string };

interface IReference {
  readonly blob: string;
  readonly size: number;
  /** The text is no base64 though its type says so. */
  readonly text: boolean;
  readonly json: boolean;
  readonly layout: JsonObject | null;
}

/** The bytes of a blob. */
export type FetchBlob = (hash: string) => Promise<Uint8Array>;

const HASH = /^[0-9a-f]{64}$/;
const TEXT_APPLICATIONS = new Set([
  'application/ecmascript',
  'application/graphql',
  'application/javascript',
  'application/mathml+xml',
  'application/sql',
  'application/x-latex',
  'application/x-tex',
  'application/xhtml+xml',
  'application/xml'
]);
const decoder = new TextDecoder();

export function isJsonType(mime: string): boolean {
  return mime === 'application/json' || (mime.startsWith('application/') && mime.endsWith('+json'));
}

/** Whether the data of a MIME type is base64 of bytes. Mirrors `core/mime.py`. */
export function isBinaryType(mime: string): boolean {
  if (mime.startsWith('image/')) {
    return !mime.endsWith('+xml');
  }
  if (mime.startsWith('audio/') || mime.startsWith('video/')) {
    return true;
  }
  if (!mime.startsWith('application/') || isJsonType(mime)) {
    return false;
  }
  return !(
    TEXT_APPLICATIONS.has(mime) ||
    mime.endsWith('+xml') ||
    mime.startsWith('application/vnd.')
  );
}

export function readReference(content: unknown): IReference | null {
  if (!isObject(content) || typeof content.blob !== 'string' || !HASH.test(content.blob)) {
    return null;
  }
  return {
    blob: content.blob,
    size: typeof content.size === 'number' ? content.size : 0,
    text: content.text === true,
    json: content.json === true,
    layout: isObject(content.b64) ? content.b64 : null
  };
}

/** What a piece of content stands for, its bytes being here. */
export function decodeContent(mime: string, reference: IReference, data: Uint8Array): Json {
  if (isJsonType(mime) || reference.json) {
    return JSON.parse(decoder.decode(data)) as Json;
  }
  if (isBinaryType(mime) && !reference.text) {
    return encodeBase64(data);
  }
  return decoder.decode(data);
}

/** Canonical base64, in pieces that a call can take. */
export function encodeBase64(data: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < data.length; start += 0x8000) {
    binary += String.fromCharCode(...data.subarray(start, start + 0x8000));
  }
  return btoa(binary);
}

export function decodeBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(text.replace(/\s/g, '')), unit => unit.charCodeAt(0));
  } catch {
    return null;
  }
}

/**
 * Content that was fetched, by hash and type, and the fetching of what was not.
 *
 * The least recently used goes when it holds more than `limit` characters: an output that is shown keeps its own copy.
 */
export class BlobCache {
  constructor(
    private readonly _fetch: FetchBlob,
    private readonly _limit = 64 * 1024 * 1024
  ) {}

  /** The value of content, or a promise of it. A blob that cannot be had reads as a note saying so. */
  value(mime: string, content: Json): Json | Promise<Json> {
    const reference = readReference(content);
    if (reference === null) {
      return content;
    }
    const key = `${reference.blob} ${mime}`;
    const known = this._values.get(key);
    if (known !== undefined) {
      this._values.delete(key);
      this._values.set(key, known);
      return known.value;
    }
    let waiting = this._waiting.get(key);
    if (waiting === undefined) {
      waiting = this._load(key, mime, reference);
      this._waiting.set(key, waiting);
    }
    return waiting;
  }

  private async _load(key: string, mime: string, reference: IReference): Promise<Json> {
    try {
      const data = await this._fetch(reference.blob);
      const value = decodeContent(mime, reference, data);
      this._keep(key, value, data.length);
      return value;
    } catch {
      return isBinaryType(mime) ? '' : `[${reference.size} bytes could not be fetched]`;
    } finally {
      this._waiting.delete(key);
    }
  }

  private _keep(key: string, value: Json, size: number): void {
    this._values.set(key, { value, size });
    this._size += size;
    for (const [oldest, { size: freed }] of this._values) {
      if (this._size <= this._limit || oldest === key) {
        break;
      }
      this._values.delete(oldest);
      this._size -= freed;
    }
  }

  private _size = 0;
  private readonly _values = new Map<string, { value: Json; size: number }>();
  private readonly _waiting = new Map<string, Promise<Json>>();
}

const OURS = new Set(['seq', 'original', 'display_id']);
/** Fields of nbformat's that are no content: what is in them is never a reference. Mirrors `core/manifest.py`. */
const PLAIN = new Map<Json, ReadonlySet<string>>([
  ['stream', new Set(['name'])],
  ['display_data', new Set(['metadata'])],
  ['execute_result', new Set(['metadata', 'execution_count'])],
  ['error', new Set(['ename', 'evalue'])]
]);

function isPlain(manifest: Manifest, key: string): boolean {
  return key === 'output_type' || PLAIN.get(manifest.output_type ?? null)?.has(key) === true;
}

/** Whether a field is content by MIME type. */
function isBundle(manifest: Manifest, key: string): boolean {
  const type = manifest.output_type;
  return key === 'data' && (type === 'display_data' || type === 'execute_result');
}

/** The output of a manifest, or a promise of it when something must be fetched. */
export function toOutput(manifest: Manifest, blobs: BlobCache): Output | Promise<Output> {
  const output: Output = { output_type: String(manifest.output_type ?? 'display_data') };
  const waiting: Promise<void>[] = [];
  const put = (into: JsonObject, key: string, value: Json | Promise<Json>): void => {
    if (value instanceof Promise) {
      into[key] = null; // keeps the order of keys
      waiting.push(value.then(ready => void (into[key] = ready)));
    } else {
      into[key] = value;
    }
  };
  for (const [key, value] of Object.entries(manifest)) {
    if (key === 'output_type' || OURS.has(key)) {
      continue;
    }
    if (isPlain(manifest, key)) {
      output[key] = value;
    } else if (key === 'text' && output.output_type === 'stream') {
      put(output, key, joinPieces(Array.isArray(value) ? value : [value], blobs));
    } else if (isBundle(manifest, key) && isObject(value)) {
      const data: JsonObject = {};
      output.data = data;
      for (const [mime, content] of Object.entries(value)) {
        put(data, mime, blobs.value(mime, content));
      }
    } else {
      put(output, key, blobs.value(key === 'traceback' ? 'application/json' : 'text/plain', value));
    }
  }
  if (output.output_type === 'error' && !Array.isArray(output.traceback)) {
    output.traceback = [];
  }
  return waiting.length === 0 ? output : Promise.all(waiting).then(() => output);
}

/** The pieces of content of an output. */
function contents(manifest: Manifest): Json[] {
  return Object.entries(manifest).flatMap(([key, value]) => {
    if (OURS.has(key) || isPlain(manifest, key)) {
      return [];
    }
    if (isBundle(manifest, key) && isObject(value)) {
      return Object.values(value);
    }
    return key === 'text' && Array.isArray(value) ? value : [value];
  });
}

/** Whether part of an output stands in blobs. */
export function needsFetch(manifest: Manifest): boolean {
  return contents(manifest).some(content => readReference(content) !== null);
}

/** What stands for an output until it is fetched. No two outputs have the same, so that one can be told by it. */
export function placeholder(manifest: Manifest): Output {
  const references = contents(manifest).flatMap(content => readReference(content) ?? []);
  const size = references.reduce((sum, reference) => sum + reference.size, 0);
  const kind = isObject(manifest.data) ? Object.keys(manifest.data).join(', ') : 'text';
  return {
    output_type: 'display_data',
    data: { 'text/plain': `[${kind}, ${Math.ceil(size / 1000)} kB]` },
    metadata: { runtimed: { blobs: references.map(({ blob }) => blob) } }
  };
}

function joinPieces(pieces: readonly Json[], blobs: BlobCache): string | Promise<string> {
  const values = pieces.map(piece => blobs.value('text/plain', piece));
  const join = (texts: readonly Json[]): string => texts.map(text => String(text ?? '')).join('');
  return values.some(value => value instanceof Promise)
    ? Promise.all(values).then(join)
    : join(values as Json[]);
}

/** Neighbouring streams of one name as one: that is how JupyterLab shows them, and it counts outputs so. */
export function mergeStreams(outputs: readonly Output[]): Output[] {
  const merged: Output[] = [];
  for (const output of outputs) {
    const last = merged[merged.length - 1];
    if (
      last?.output_type === 'stream' &&
      output.output_type === 'stream' &&
      last.name === output.name
    ) {
      merged[merged.length - 1] = { ...last, text: String(last.text) + String(output.text) };
    } else {
      merged.push(output);
    }
  }
  return merged;
}

/** Attachments of Markdown cells, both ways: base64 in the shared model, blobs in the document. */
import { Json, JsonObject } from '../automerge.js';
import { BlobCache, decodeBase64, isBinaryType } from '../outputs.js';
import { Attachments, isObject } from '../notebookDocument.js';

/** Stores bytes with the server; null when that cannot be done now. */
export type StoreBlob = (data: Uint8Array) => Promise<JsonObject | null>;

/** Strings up to this length stay in the document. */
const INLINE_LENGTH = 1024;

export class AttachmentTranslator {
  constructor(
    private readonly _blobs: BlobCache,
    private readonly _store: StoreBlob
  ) {}

  /** What the shared model shall have; a promise when something must be fetched first. */
  toShown(attachments: Attachments): JsonObject | Promise<JsonObject> {
    const shown: { [name: string]: JsonObject } = {};
    const waiting: Promise<void>[] = [];
    for (const [name, bundle] of Object.entries(attachments)) {
      shown[name] = {};
      for (const [mime, content] of Object.entries(isObject(bundle) ? bundle : {})) {
        const value = this._blobs.value(mime, content);
        const put = (ready: Json): void => {
          shown[name][mime] = ready;
          this._remember(mime, ready, content);
        };
        if (value instanceof Promise) {
          shown[name][mime] = '';
          waiting.push(value.then(put));
        } else {
          put(value);
        }
      }
    }
    return waiting.length === 0 ? shown : Promise.all(waiting).then(() => shown);
  }

  /** What the document shall have; a promise when something must be stored first. */
  toDocument(shown: Attachments): Attachments | Promise<Attachments> {
    const attachments: Attachments = {};
    const waiting: Promise<void>[] = [];
    for (const [name, bundle] of Object.entries(shown)) {
      const into: { [mime: string]: Json } = {};
      attachments[name] = into;
      for (const [mime, value] of Object.entries(bundle)) {
        const content = this._known.get(keyOf(mime, value)) ?? value;
        into[mime] = content;
        if (content === value && typeof value === 'string') {
          const data =
            value.length > INLINE_LENGTH && isBinaryType(mime) ? decodeBase64(value) : null;
          if (data !== null) {
            waiting.push(
              this._upload(mime, value, data).then(stored => void (into[mime] = stored))
            );
          }
        }
      }
    }
    return waiting.length === 0 ? attachments : Promise.all(waiting).then(() => attachments);
  }

  private async _upload(mime: string, value: string, data: Uint8Array): Promise<Json> {
    const reference = await this._store(data).catch(() => null);
    if (reference === null) {
      return value; // without a connection the document carries it
    }
    this._remember(mime, value, reference);
    return reference;
  }

  private _remember(mime: string, value: Json, content: Json): void {
    if (isObject(content)) {
      this._known.set(keyOf(mime, value), content);
    }
  }

  private readonly _known = new Map<string, Json>();
}

function keyOf(mime: string, value: Json): string {
  return `${mime} ${typeof value === 'string' ? value : JSON.stringify(value)}`;
}

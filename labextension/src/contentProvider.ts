/**
 * Where JupyterLab gets notebooks from: rooms instead of files.
 *
 * A notebook's content never passes here, it comes over the room's socket; what JupyterLab is given is a model without
 * content. The hash in it is the room's name, not the file's: the server itself sees to changes on disk, so a hash
 * that differed could only raise a false alarm in JupyterLab.
 */
import { YNotebook } from '@jupyter/ydoc';
import { Notification } from '@jupyterlab/apputils';
import { Contents, IContentProvider } from '@jupyterlab/services';
import { LoadError, RequestError } from './requests.js';
import { ISignal, Signal } from '@lumino/signaling';
import { Rooms } from './rooms.js';
import { Room } from './room.js';

/** The name under which widget factories ask for this provider. */
export const PROVIDER_ID = 'runtimed';

const HASH_ALGORITHM = 'room';

const TO_SEE_IT_AS_TEXT = 'Nothing was changed; "Open as text" shows the file as it is.';

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(message) ? message : `${message}.`;
}

export class RoomContentProvider implements IContentProvider {
  constructor(
    private readonly _rooms: Rooms,
    private readonly _drive: Contents.IDrive
  ) {
    _drive.fileChanged.connect(this._onFileChanged, this);
    this._saveFirst();
    _rooms.added.connect((_, room) => {
      let path = room.path;
      room.changed.connect((_, change) => {
        if (change === 'status' && room.path !== path) {
          void this._tellRenamed(path, room);
          path = room.path;
        }
      });
    });
  }

  get fileChanged(): ISignal<this, Contents.IChangedArgs> {
    return this._fileChanged;
  }

  readonly sharedModelFactory: Contents.ISharedFactory = {
    collaborative: true,
    createNew: options => {
      if (
        !this._rooms.isAvailable ||
        !options.collaborative ||
        options.contentType !== 'notebook'
      ) {
        return undefined;
      }
      const shared = new YNotebook({ disableDocumentWideUndoRedo: true });
      this._rooms.open(options.path, shared);
      return shared;
    }
  };

  async get(path: string, options?: Contents.IFetchOptions): Promise<Contents.IModel> {
    const plain = { ...options, contentProviderId: undefined };
    const room = this._rooms.get(path);
    if (room === undefined) {
      return this._drive.get(path, plain);
    }
    const file = this._file(room); // asked for while the cells are on their way
    try {
      await room.opening.begun;
    } catch (error) {
      throw error instanceof LoadError
        ? new Error(`${messageOf(error)} ${TO_SEE_IT_AS_TEXT}`)
        : error;
    }
    const model = await this._model(room, options?.format ?? null, file);
    if (room.isDisposed && options?.content === false) {
      throw calledOff('The notebook was closed before it was saved here; the server saves it.');
    }
    return model;
  }

  async save(path: string, options: Partial<Contents.IModel> = {}): Promise<Contents.IModel> {
    const room = this._rooms.get(path);
    if (room === undefined) {
      return this._drive.save(path, options);
    }
    try {
      await room.request('save_notebook', {}, true);
    } catch (error) {
      // Closed meanwhile: the server has been asked, and saves by itself what it has.
      if (!room.isDisposed) {
        throw isDisconnected(error) ? notSavedYet(room) : error;
      }
    }
    return this._model(room, options.format ?? null);
  }

  /** Copies, downloads and checkpoints are made of the file: let it have what the room has. */
  private _saveFirst(): void {
    const drive = this._drive;
    const copy = drive.copy.bind(drive);
    const getDownloadUrl = drive.getDownloadUrl.bind(drive);
    const createCheckpoint = drive.createCheckpoint.bind(drive);
    drive.copy = async (path, toDirectory) => {
      await this._saveIfOpen(path);
      return copy(path, toDirectory);
    };
    drive.getDownloadUrl = async path => {
      await this._saveIfOpen(path);
      return getDownloadUrl(path);
    };
    drive.createCheckpoint = async path => {
      await this._saveIfOpen(path);
      return createCheckpoint(path);
    };
  }

  private async _saveIfOpen(path: string): Promise<void> {
    const room = this._rooms.get(path);
    if (room?.writable && room.status?.phase === 'ready') {
      await room.request('save_notebook', {}, true);
    }
  }

  /** Renamed in this page: here the news is older than the server's word. */
  private _onFileChanged(
    _: Contents.IDrive,
    { type, oldValue, newValue }: Contents.IChangedArgs
  ): void {
    const before = oldValue?.path;
    const after = newValue?.path;
    if (type !== 'rename' || before === undefined || after === undefined) {
      return;
    }
    for (const room of this._rooms.all) {
      if (room.path === before) {
        room.path = after;
      } else if (room.path.startsWith(`${before}/`)) {
        room.path = after + room.path.slice(before.length);
      }
    }
  }

  /** Renamed by somebody else. */
  private async _tellRenamed(before: string, room: Room): Promise<void> {
    const model = await this._model(room, 'json');
    this._fileChanged.emit({ type: 'rename', oldValue: { path: before }, newValue: model });
  }

  private _file(room: Room): Promise<Contents.IModel> {
    return this._drive.get(room.path, { content: false }).catch(() => missing(room));
  }

  private async _model(
    room: Room,
    format: Contents.FileFormat | null,
    file = this._file(room)
  ): Promise<Contents.IModel> {
    const model = await file;
    return {
      ...model,
      content: null,
      format: format ?? undefined,
      writable: room.writable,
      hash: HASH_ALGORITHM,
      hash_algorithm: HASH_ALGORITHM
    } as Contents.IModel;
  }

  private readonly _fileChanged = new Signal<this, Contents.IChangedArgs>(this);
}

function isDisconnected(error: unknown): boolean {
  return error instanceof RequestError && error.code === 'disconnected';
}

/** Says so without a dialog in the way. */
function notSavedYet(room: Room): Error {
  const message =
    'Not saved: there is no connection to the server. Your changes are kept here, and go there when it is back.';
  Notification.warning(message, { autoClose: 5000 });
  room.saveFailed();
  return calledOff(message);
}

/** What JupyterLab takes for a save that was called off, and shows no dialog of. */
function calledOff(message: string): Error {
  const error = new Error(message);
  error.name = 'ModalCancelError';
  return error;
}

/** A notebook whose file is gone; the room still has it, and a save writes it again. */
function missing(room: Room): Contents.IModel {
  const now = room.status?.lastSaved ?? new Date().toISOString();
  return {
    name: room.path.split('/').pop() ?? room.path,
    path: room.path,
    type: 'notebook',
    writable: room.writable,
    created: now,
    last_modified: now,
    mimetype: '',
    content: null,
    format: 'json'
  };
}

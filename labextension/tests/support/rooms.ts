/** Rooms over a hub, for tests. */
import { YNotebook } from '@jupyter/ydoc';
import { MemoryTransport } from '../../src/memoryTransport.js';
import type { IRoomServer } from '../../src/rest.js';
import { Room } from '../../src/room.js';
import { Hub, settle } from './hub.js';

export class TestServer implements IRoomServer {
  readonly blobs = new Map<string, Uint8Array>();
  merged: Uint8Array[] = [];

  openRoom(path: string): Promise<{ roomId: string; path: string }> {
    return Promise.resolve({ roomId: 'room', path });
  }

  /** Called before a merge is answered. */
  beforeMerge: () => void | Promise<void> = () => undefined;

  async merge(_: string, document: Uint8Array): Promise<string[]> {
    await this.beforeMerge();
    this.merged.push(document);
    return [];
  }

  blob(hash: string): Promise<Uint8Array> {
    const data = this.blobs.get(hash);
    return data === undefined ? Promise.reject(new Error('no such blob')) : Promise.resolve(data);
  }

  storeBlob(data: Uint8Array): Promise<{ blob: string; size: number }> {
    const blob = String(data.length).padStart(64, '0');
    this.blobs.set(blob, data);
    return Promise.resolve({ blob, size: data.length });
  }
}

export interface ITab {
  room: Room;
  shared: YNotebook;
  transport: MemoryTransport;
  server: TestServer;
}

/** A tab that shows the hub's room. */
export async function openTab(hub: Hub): Promise<ITab> {
  const shared = new YNotebook({ disableDocumentWideUndoRedo: true });
  const transport = new MemoryTransport();
  const server = new TestServer();
  const room = new Room({ path: 'a.ipynb', shared, server, makeTransport: () => transport });
  await room.start();
  hub.connect(transport);
  settle(hub, transport);
  return { room, shared, transport, server };
}

/** Let everything typed in these tabs reach everybody. */
export function exchange(hub: Hub, ...tabs: ITab[]): void {
  tabs.forEach(({ room }) => room.engine.flush());
  settle(hub, ...tabs.map(({ transport }) => transport));
}

export function sources(tab: ITab): string[] {
  return tab.shared.cells.map(cell => cell.getSource());
}

export function ids(tab: ITab): string[] {
  return tab.shared.cells.map(cell => cell.getId());
}

/**
 * Tabs without a browser, driven from Python: whole rooms of the front end, on transports that Python moves.
 *
 * JSON lines: `{"op", "tab", …}` on stdin; `{"result", "sent": [frame]}` or `{"error"}` on stdout, in the same order.
 * Frames travel as base64. Time stands still but for `tick`, so that a run is the same each time.
 */
import { createInterface } from 'node:readline';
import { YNotebook } from '@jupyter/ydoc';
import './engine.js';
import { MemoryTransport } from '../../src/memoryTransport.js';
import { Room } from '../../src/room.js';
import { describe } from '../../src/view/describe.js';
import { ITab, TestServer } from './rooms.js';
import { ManualTime } from './time.js';

interface IRequest {
  readonly op: string;
  readonly tab: string;
  readonly frame?: string;
  readonly ms?: number;
  readonly code?: number;
  readonly text?: string;
  readonly id?: string;
  /** Cells, and places in them, as shares of what there is: 0 ≤ share < 1. */
  readonly at?: number;
  readonly to?: number;
}

const base64 = (data: Uint8Array): string => Buffer.from(data).toString('base64');
const bytes = (text = ''): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

const time = new ManualTime();
const tabs = new Map<string, ITab>();
const tabOf = ({ tab }: IRequest): ITab => tabs.get(tab) as ITab;
const place = (share = 0, count: number): number => Math.floor(share * count);

const operations: { [name: string]: (request: IRequest) => unknown } = {
  async open({ tab }) {
    const shared = new YNotebook({ disableDocumentWideUndoRedo: true });
    const transport = new MemoryTransport();
    const server = new TestServer();
    const room = new Room({ path: 'a.ipynb', shared, server, makeTransport: () => transport });
    tabs.set(tab, { room, shared, transport, server });
    await room.start();
  },

  connect: request => tabOf(request).transport.open(),

  lose: request => tabOf(request).transport.lose(request.code),

  receive(request) {
    const { transport } = tabOf(request);
    transport.toClient.push(bytes(request.frame));
    transport.deliver();
  },

  close(request) {
    const { room, shared } = tabOf(request);
    room.dispose();
    shared.dispose();
    tabs.delete(request.tab);
  },

  /** The documents that were handed over to be merged, since the last time this was asked. */
  merged: request => tabOf(request).server.merged.splice(0).map(base64),

  tick: ({ ms }) => time.tick(ms ?? 0),

  /** Type a text into a cell; only between code points. */
  type(request) {
    const cells = tabOf(request).shared.cells;
    const cell = cells[place(request.at, cells.length)];
    const points = [...cell.source];
    const index = points.slice(0, place(request.to, points.length + 1)).join('').length;
    cell.updateSource(index, index, request.text);
  },

  erase(request) {
    const cells = tabOf(request).shared.cells;
    const cell = cells[place(request.at, cells.length)];
    const points = [...cell.source];
    const first = place(request.to, points.length + 1);
    const index = points.slice(0, first).join('').length;
    cell.updateSource(index, index + (points[first]?.length ?? 0), '');
  },

  insert(request) {
    const { shared } = tabOf(request);
    shared.insertCell(place(request.at, shared.cells.length + 1), {
      id: request.id,
      cell_type: 'code',
      source: request.text
    } as never);
  },

  delete(request) {
    const { shared } = tabOf(request);
    shared.deleteCell(place(request.at, shared.cells.length));
  },

  move(request) {
    const { shared } = tabOf(request);
    const { length } = shared.cells;
    shared.moveCell(place(request.at, length), place(request.to, length));
  },

  state(request) {
    const { room, shared, transport } = tabOf(request);
    return {
      ids: shared.cells.map(cell => cell.getId()),
      sources: shared.cells.map(cell => cell.getSource()),
      outputs: shared.cells.map(cell => cell.toJSON().outputs ?? []),
      heads: room.engine.heads,
      isConfirmed: room.engine.isConfirmed,
      unconfirmed: room.engine.unconfirmed,
      isDurable: room.engine.isDurable,
      dirty: shared.dirty,
      resets: transport.resets,
      status: describe(room)
    };
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as IRequest;
  let answer: object;
  try {
    const result = (await operations[request.op](request)) ?? null;
    const sent = tabs.get(request.tab)?.transport.toServer.splice(0) ?? [];
    answer = { result, sent: sent.map(base64) };
  } catch (error) {
    answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
process.exit(0); // what is still open has timers

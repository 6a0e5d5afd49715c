/** Tabs of a test file. Only for files of tests: importing this begins a report. */
import { after } from 'node:test';
import { Hub } from './hub.js';
import { ITab, openTab } from './rooms.js';

const opened: ITab[] = [];

after(() => opened.forEach(({ shared, room }) => (room.dispose(), shared.dispose())));

/** This tab is closed when the file's tests are over. */
export function closedAfterwards<Tab extends ITab>(tab: Tab): Tab {
  opened.push(tab);
  return tab;
}

/** A tab that shows the hub's room, until the file's tests are over. */
export async function open(hub: Hub): Promise<ITab> {
  return closedAfterwards(await openTab(hub));
}

/** A room of two cells. */
export const two = (): Hub =>
  new Hub([
    { id: 'one', source: 'x = 1' },
    { id: 'two', source: 'hé😀' }
  ]);

/** A room's state in a few words: is it connected, is what was typed safe, is it in the file. */
import { Room } from '../room.js';

export interface IDescription {
  readonly state: string;
  readonly text: string;
  readonly title: string;
}

export function describe(room: Room): IDescription {
  const { status, connection, engine } = room;
  const unsent = engine.unconfirmed;
  if (connection === 'offline') {
    const text = unsent === 0 ? 'Offline' : `Offline, ${count(unsent, 'change')} not sent`;
    return {
      state: 'offline',
      text,
      title: 'Reconnecting. What you type is kept, and sent as soon as that succeeds.'
    };
  }
  if (status === null || status.phase === 'loading') {
    const progress = status?.total
      ? ` ${status.done} of ${count(status.total, 'cell')}`
      : status?.done
        ? `, ${count(status.done, 'cell')} so far`
        : '';
    return { state: 'loading', text: `Opening${progress}…`, title: '' };
  }
  if (status.phase === 'failed') {
    return { state: 'failed', text: 'Could not be opened', title: status.error?.message ?? '' };
  }
  if (!status.writable) {
    return {
      state: 'readonly',
      text: 'Read-only',
      title: 'You may read this notebook, not change it.'
    };
  }
  if (unsent > 0) {
    return { state: 'sending', text: 'Sending…', title: '' };
  }
  if (!engine.isDurable) {
    return {
      state: 'securing',
      text: 'Securing…',
      title: 'The server has your changes and is writing them to its log.'
    };
  }
  const kept = 'Everything is kept by the server, and would survive a crash.';
  if (status.dirty && !status.autosave) {
    return {
      state: 'unsaved',
      text: 'Not saved',
      title: `${kept} Autosave is off: the file follows when you save.`
    };
  }
  if (status.dirty) {
    return {
      state: 'unsaved',
      text: 'Not yet in the file',
      title: `${kept} The file follows by itself.`
    };
  }
  return {
    state: 'saved',
    text: `Saved${timeOf(status.lastSaved)}`,
    title: `${kept} The file is up to date.`
  };
}

function timeOf(iso: string | null): string {
  return iso === null
    ? ''
    : ` ${new Date(iso).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/**
 * Where a cell stands: fractions between 0 and 1, written with the digits 0-9a-z. Mirrors `core/position.py`.
 *
 * A position is never empty and never ends in 0, so between any two there is always another; cells sort by
 * (position, id).
 */

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';
const BASE = DIGITS.length;
const WIDTH = 4;
const SPAN = BASE ** WIDTH;
/** From one counted position to the next at the ends of a notebook; one digit is left between them. */
const STEP = BASE;
const FIRST = 10 * BASE ** 3 + BASE / 2;

const POSITION = /^[0-9a-z]*[1-9a-z]$/;

export function isPosition(value: unknown): value is string {
  return typeof value === 'string' && POSITION.test(value);
}

/** A position strictly between two; an empty string is the open end. */
export function between(before: string, after: string): string {
  if (!after) {
    return behind(before);
  }
  if (before >= after) {
    throw new RangeError(`nothing lies between ${before} and ${after}`);
  }
  return before ? halfway(before, after) : aheadOf(after);
}

function behind(before: string): string {
  if (!before) {
    return written(FIRST);
  }
  const head = before.slice(0, WIDTH);
  const rest = before.slice(WIDTH);
  const number = read(head) + STEP;
  if (number < SPAN) {
    return written(number);
  }
  return head.padEnd(WIDTH, '0') + (rest ? behind(rest) : written(STEP));
}

function aheadOf(after: string): string {
  const head = after.slice(0, WIDTH);
  const rest = after.slice(WIDTH);
  const number = read(head);
  if (number > STEP) {
    return written(number - STEP);
  }
  return '0'.repeat(WIDTH) + (number === 0 ? aheadOf(rest) : written(SPAN - STEP));
}

function halfway(before: string, after: string): string {
  let prefix = '';
  let bound = after;
  for (let place = 0; ; place++) {
    const low = place < before.length ? DIGITS.indexOf(before[place]) : 0;
    const high = bound && place < bound.length ? DIGITS.indexOf(bound[place]) : BASE;
    if (high - low > 1) {
      return prefix + DIGITS[Math.floor((low + high) / 2)];
    }
    prefix += DIGITS[low];
    if (low < high) {
      bound = ''; // already smaller: from here on only `before` bounds
    }
  }
}

function read(digits: string): number {
  return parseInt(digits.padEnd(WIDTH, '0'), BASE);
}

function written(number: number): string {
  return number.toString(BASE).padStart(WIDTH, '0').replace(/0+$/, '');
}

import { types } from 'node:util';
import { PosthornError } from '../errors.js';
import { firstEventId } from '../models/ids.js';
import type { EventRange } from '../storage/log-port.js';
import { omitUndefined } from '../validation.js';

/** A range of time, [from, to). It selects events by the time in their ids: when they were dispatched. */
export interface TimeRange {
  /** The start, inclusive. Default: unbounded. */
  readonly from?: Date;
  /** The end, exclusive. Default: unbounded. */
  readonly to?: Date;
}

/** Returns the range as event ids. Throws `invalid_option` for an invalid date, or if `from` is later than `to`. */
export function eventRange({ from, to }: TimeRange): EventRange {
  const [first, end] = [parseInstant(from, 'from'), parseInstant(to, 'to')];
  if (first !== undefined && end !== undefined && first > end) {
    throw new PosthornError('invalid_option', 'from must not be later than to');
  }
  return omitUndefined({
    fromEventId: first === undefined ? undefined : firstEventId(first),
    beforeEventId: end === undefined ? undefined : firstEventId(end),
  });
}

/**
 * Returns the date in milliseconds since 1970, or undefined for undefined. Throws `invalid_option` for an invalid date.
 */
export function parseInstant(date: Date | undefined, option: string): number | undefined {
  if (date === undefined) return undefined;
  // `isDate` also accepts a Date of another realm, as in some test runners.
  const ms = types.isDate(date) ? date.getTime() : Number.NaN;
  if (Number.isNaN(ms)) throw new PosthornError('invalid_option', `${option} must be a valid Date`);
  return ms;
}

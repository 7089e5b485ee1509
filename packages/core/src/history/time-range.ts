import { types } from 'node:util';
import { PosthornError } from '../errors.js';
import { firstEventId } from '../models/ids.js';
import type { EventRange } from '../storage/log-port.js';
import { omitUndefined } from '../validation.js';

/** From when to when, by the time that an event's id begins with: that is when it was dispatched. */
export interface TimeRange {
  /** The first instant. Default: since ever. */
  readonly from?: Date;
  /** The first instant after it. Default: without an end. */
  readonly to?: Date;
}

/** The range of ids. Throws `invalid_option` for what is no date, and where `from` is later than `to`. */
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

/** In milliseconds since 1970; undefined for undefined. Throws `invalid_option` for what is no date. */
export function parseInstant(date: Date | undefined, option: string): number | undefined {
  if (date === undefined) return undefined;
  // Also of another realm, as some test runners have.
  const ms = types.isDate(date) ? date.getTime() : Number.NaN;
  if (Number.isNaN(ms)) throw new PosthornError('invalid_option', `${option} must be a valid Date`);
  return ms;
}

import type { Context } from 'liquidjs';
import { toValue } from 'liquidjs';
import { strftime, type ZonedTime } from './strftime.js';
import { WrittenNumber } from './written-number.js';

/*
 * liquidjs parses and formats times in the machine's time zone. Its output differs between servers and is an hour off
 * around a clock change. These filters use UTC instead.
 */

type DateFilter = (this: { readonly context: Context }, value: unknown, ...options: unknown[]) => unknown;

/** An offset after a time of day, or a named one: `Z`, `UTC`, `EST`, `+02:00`, `GMT+0200 (CEST)`. */
const ownOffset =
  /(?:\dZ|\b(?:UTC?|GMT|Z|[ECMP][SD]T)(?:[+-]\d{1,2}:?\d{0,2})?|:\d{2}(?:[.,]\d+)?\s*(?:[ap]m)?\s*[+-]\d{1,2}:?\d{0,2})\s*(?:\([^()]*\)\s*)?$/i;

/** Parses a time, or seconds since 1970. A time without an offset is in UTC. Returns undefined for other values. */
function instantOf(value: unknown): Date | undefined {
  if (typeof value === 'number' || value instanceof WrittenNumber) return validDate(Number(value) * 1_000);
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (text === 'now' || text === 'today') return new Date();
  if (/^\d+$/.test(text)) return validDate(Number(text) * 1_000);
  if (ownOffset.test(text)) return validDate(text);
  return validDate(`${text}Z`) ?? validDate(`${text} UTC`);
}

function validDate(time: string | number): Date | undefined {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** Converts an instant to a time zone. Throws a RangeError for an unknown zone. */
function zoned(instant: Date, zone: unknown): ZonedTime {
  const name = typeof zone === 'string' ? zone : '';
  // As with `getTimezoneOffset`, a number is the minutes that the zone is behind UTC.
  const offsetMinutes = name === '' ? -Number(zone ?? 0) || 0 : offsetIn(name, instant);
  const wall = new Date(instant.getTime() + offsetMinutes * 60_000);
  return { instant, wall, offsetMinutes: Math.trunc(offsetMinutes), zone: name };
}

/** Returns the minutes that an IANA time zone is ahead of UTC at an instant. */
function offsetIn(timeZone: string, instant: Date): number {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }).formatToParts(
    instant,
  );
  const longOffset = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign = '+', hours = 0, minutes = 0, seconds = 0] =
    /([+-])(\d+):(\d+)(?::(\d+))?/.exec(longOffset) ?? [];
  const ahead = Number(hours) * 60 + Number(minutes) + Number(seconds) / 60;
  return sign === '-' ? -ahead : ahead;
}

/** The default format of liquidjs. */
const usualFormat = '%A, %B %-e, %Y at %-l:%M %P %z';

const date: DateFilter = function (given, format, zone) {
  const value = toValue(given);
  const instant = instantOf(value);
  if (!instant) return given;
  const time = zoned(instant, toValue(zone));
  // With the offset, the year exceeds the range of Date.
  if (Number.isNaN(time.wall.getTime())) return given;
  const wanted = toValue(format) ?? usualFormat;
  const { memoryLimit } = this.context;
  return strftime(time, String(wanted), (characters) => memoryLimit.use(characters));
};

const inFormat = (format: string): DateFilter =>
  function (value) {
    return date.call(this, value, format);
  };

/** Formats `7 Nov 2008`; with `ordinal` `7th Nov 2008`; with `ordinal` and `US` `Nov 7th, 2008`. */
const inWords = (month: string): DateFilter =>
  function (value, type, style) {
    const ordinal = style === 'US' ? `${month} %-d%q, %Y` : `%-d%q ${month} %Y`;
    return date.call(this, value, type === 'ordinal' ? ordinal : `%d ${month} %Y`);
  };

/** The date filters, by name. */
export const dateFilters: Readonly<Record<string, DateFilter>> = {
  date,
  date_to_xmlschema: inFormat('%Y-%m-%dT%H:%M:%S%:z'),
  date_to_rfc822: inFormat('%a, %d %b %Y %H:%M:%S %z'),
  date_to_string: inWords('%b'),
  date_to_long_string: inWords('%B'),
};

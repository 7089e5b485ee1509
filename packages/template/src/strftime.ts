/** An instant in a time zone. */
export interface ZonedTime {
  readonly instant: Date;
  /** The local time of the zone, in the UTC fields of a Date. */
  readonly wall: Date;
  /** How far the zone is ahead of UTC. */
  readonly offsetMinutes: number;
  /** The name of the zone, or an empty string. */
  readonly zone: string;
}

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];

const two = (value: number): string => String(value).padStart(2, '0');

function offset({ offsetMinutes }: ZonedTime, colon: string): string {
  const minutes = Math.abs(offsetMinutes);
  return `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${colon}${two(minutes % 60)}`;
}

const dayMs = 86_400_000;

const dayOfYear = (wall: Date): number =>
  Math.floor((wall.getTime() - Date.UTC(wall.getUTCFullYear(), 0, 1)) / dayMs) + 1;

/** Days before the first `firstDay` of the year are in week 0. */
const weekOfYear = (wall: Date, firstDay: number): number =>
  Math.floor((dayOfYear(wall) + 6 - ((wall.getUTCDay() - firstDay + 7) % 7)) / 7);

/** Returns the Thursday of the same week, which decides the year of the week (ISO 8601 §3.1.1.23). */
const thursdayOf = (wall: Date): Date => new Date(wall.getTime() + (4 - (wall.getUTCDay() || 7)) * dayMs);

function ordinal(day: number): string {
  const isTeen = day >= 11 && day <= 13;
  return (isTeen ? undefined : { 1: 'st', 2: 'nd', 3: 'rd' }[day % 10]) ?? 'th';
}

const hour12 = (wall: Date): number => wall.getUTCHours() % 12 || 12;
const half = (wall: Date): string => (wall.getUTCHours() < 12 ? 'AM' : 'PM');

/** Formats a directive as text, or as a number to be padded to a width with zeros or with `fill`. */
type Directive = (time: ZonedTime) => string | readonly [value: number, width: number, fill?: ' '];

const directives: Readonly<Record<string, Directive>> = {
  a: ({ wall }) => days[wall.getUTCDay()]!.slice(0, 3),
  A: ({ wall }) => days[wall.getUTCDay()]!,
  b: ({ wall }) => months[wall.getUTCMonth()]!.slice(0, 3),
  B: ({ wall }) => months[wall.getUTCMonth()]!,
  C: ({ wall }) => [Math.floor(wall.getUTCFullYear() / 100), 2],
  d: ({ wall }) => [wall.getUTCDate(), 2],
  e: ({ wall }) => [wall.getUTCDate(), 2, ' '],
  g: ({ wall }) => [thursdayOf(wall).getUTCFullYear() % 100, 2],
  G: ({ wall }) => [thursdayOf(wall).getUTCFullYear(), 4],
  h: ({ wall }) => months[wall.getUTCMonth()]!.slice(0, 3),
  H: ({ wall }) => [wall.getUTCHours(), 2],
  I: ({ wall }) => [hour12(wall), 2],
  j: ({ wall }) => [dayOfYear(wall), 3],
  k: ({ wall }) => [wall.getUTCHours(), 2, ' '],
  l: ({ wall }) => [hour12(wall), 2, ' '],
  m: ({ wall }) => [wall.getUTCMonth() + 1, 2],
  M: ({ wall }) => [wall.getUTCMinutes(), 2],
  n: () => '\n',
  p: ({ wall }) => half(wall),
  P: ({ wall }) => half(wall).toLowerCase(),
  q: ({ wall }) => ordinal(wall.getUTCDate()),
  s: ({ instant }) => [Math.floor(instant.getTime() / 1_000), 0],
  S: ({ wall }) => [wall.getUTCSeconds(), 2],
  t: () => '\t',
  u: ({ wall }) => [wall.getUTCDay() || 7, 1],
  U: ({ wall }) => [weekOfYear(wall, 0), 2],
  V: ({ wall }) => [Math.ceil(dayOfYear(thursdayOf(wall)) / 7), 2],
  w: ({ wall }) => [wall.getUTCDay(), 1],
  W: ({ wall }) => [weekOfYear(wall, 1), 2],
  y: ({ wall }) => [((wall.getUTCFullYear() % 100) + 100) % 100, 2],
  Y: ({ wall }) => [wall.getUTCFullYear(), 4],
  Z: (time) => time.zone || offset(time, ''),
  '%': () => '%',
};

/** Directives that combine others. */
const composed: Readonly<Record<string, string>> = {
  c: '%a %b %e %H:%M:%S %Y',
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  r: '%I:%M:%S %p',
  R: '%H:%M',
  T: '%H:%M:%S',
  v: '%e-%^b-%Y',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
};

const directive = /%([-_0^#:]*)(\d*)[EO]?(.)/gsu;

/**
 * Formats a time in English like Ruby's `strftime`: directives, the flags `-`, `_`, `0`, `^`, `#` and `:`, and a width.
 * Adds liquidjs' `%q`, the suffix of an ordinal. Calls `spend` with each width before it pads.
 */
export function strftime(time: ZonedTime, format: string, spend: (characters: number) => void): string {
  return format.replace(directive, (written, flags: string, width: string, name: string) => {
    const has = (flag: string) => flags.includes(flag);
    const filled = (text: string, least: number, fill: string): string => {
      const length = has('-') ? 0 : width === '' ? least : Number(width);
      spend(length);
      const sign = fill === '0' && /^[-+]/.test(text) ? text.charAt(0) : '';
      return sign + text.slice(sign.length).padStart(length - sign.length, fill);
    };
    const fillOf = (usual: string) => (has('_') ? ' ' : has('0') ? '0' : usual);
    const cased = (text: string): string => {
      if (has('^')) return text.toUpperCase();
      if (!has('#')) return text;
      return text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase();
    };
    if (name === 'L' || name === 'N') {
      const digits = width === '' ? (name === 'L' ? 3 : 9) : Number(width);
      spend(digits);
      return String(time.wall.getUTCMilliseconds()).padStart(3, '0').slice(0, digits).padEnd(digits, '0');
    }
    if (name === 'z') return filled(offset(time, has(':') ? ':' : ''), 0, '0');
    if (Object.hasOwn(composed, name)) {
      return filled(cased(strftime(time, composed[name]!, spend)), 0, fillOf(' '));
    }
    const shown = Object.hasOwn(directives, name) ? directives[name]!(time) : undefined;
    if (shown === undefined) return written;
    if (typeof shown === 'string') return filled(cased(shown), 0, fillOf(' '));
    const [value, least, fill = '0'] = shown;
    return filled(String(value), least, fillOf(fill));
  });
}

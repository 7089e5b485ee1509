const seconds = /^\d+(\.\d+)?$/;

const day = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const dayLong = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day';
const month = '(?<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const time = '(?<time>[0-2]\\d:[0-5]\\d:[0-5]\\d)';

/** The three forms of a date that a recipient must take (RFC 9110 §5.6.7): one of today, two of long ago. */
const dates: readonly RegExp[] = [
  new RegExp(`^${day}, (?<date>\\d\\d) ${month} (?<year>\\d{4}) ${time} GMT$`),
  new RegExp(`^${dayLong}, (?<date>\\d\\d)-${month}-(?<year>\\d\\d) ${time} GMT$`),
  new RegExp(`^${day} ${month} (?<date>[ \\d]\\d) ${time} (?<year>\\d{4})$`),
];

/**
 * How long a receiver asks to be left alone, in milliseconds (RFC 9110 §10.2.3): seconds, decimals too, or a date,
 * read against this process's clock; one in the past is 0. Undefined for anything else, two headers included.
 */
export function retryAfterMs(
  header: string | readonly string[] | undefined,
  now = Date.now(),
): number | undefined {
  if (typeof header !== 'string') return undefined;
  const ms = seconds.test(header)
    ? Math.round(Number(header) * 1000)
    : Math.max(instantOf(header, now) - now, 0);
  return Number.isFinite(ms) ? ms : undefined;
}

/** The instant a date of HTTP names, in milliseconds; NaN where the text is none. */
function instantOf(text: string, now: number): number {
  const fields = dates.map((date) => date.exec(text)?.groups).find(Boolean);
  if (!fields) return Number.NaN;
  const { date, month, year = '', time } = fields;
  const instant = Date.parse(`${date} ${month} ${yearOf(year, now)} ${time} GMT`);
  // A 31st of February is read as one of March.
  return new Date(instant).getUTCDate() === Number(date) ? instant : Number.NaN;
}

/** Two digits that would be more than 50 years ahead are of the century before. */
function yearOf(digits: string, now: number): number {
  if (digits.length === 4) return Number(digits);
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(digits);
  return year > thisYear + 50 ? year - 100 : year;
}

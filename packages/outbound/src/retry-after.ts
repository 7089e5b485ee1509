const seconds = /^\d+(\.\d+)?$/;

const day = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const dayLong = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day';
const month = '(?<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const time = '(?<time>[0-2]\\d:[0-5]\\d:[0-5]\\d)';

/** The three date formats that a recipient must accept (RFC 9110 §5.6.7): the current one and two obsolete ones. */
const dates: readonly RegExp[] = [
  new RegExp(`^${day}, (?<date>\\d\\d) ${month} (?<year>\\d{4}) ${time} GMT$`),
  new RegExp(`^${dayLong}, (?<date>\\d\\d)-${month}-(?<year>\\d\\d) ${time} GMT$`),
  new RegExp(`^${day} ${month} (?<date>[ \\d]\\d) ${time} (?<year>\\d{4})$`),
];

/**
 * Parses a `Retry-After` header into milliseconds (RFC 9110 §10.2.3). Accepts seconds, with decimals, or a date, which
 * is compared to this process's clock; a date in the past gives 0. Returns undefined for anything else, including
 * repeated headers.
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

/** Parses an HTTP date into milliseconds since the epoch. Returns NaN for other text. */
function instantOf(text: string, now: number): number {
  const fields = dates.map((date) => date.exec(text)?.groups).find(Boolean);
  if (!fields) return Number.NaN;
  const { date, month, year = '', time } = fields;
  const instant = Date.parse(`${date} ${month} ${yearOf(year, now)} ${time} GMT`);
  // `Date.parse` reads 31 February as a date in March.
  return new Date(instant).getUTCDate() === Number(date) ? instant : Number.NaN;
}

/** Expands a two-digit year. A year more than 50 years ahead belongs to the previous century (RFC 9110 §5.6.7). */
function yearOf(digits: string, now: number): number {
  if (digits.length === 4) return Number(digits);
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(digits);
  return year > thisYear + 50 ? year - 100 : year;
}

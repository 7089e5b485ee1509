const seconds = /^\d+(\.\d+)?$/;
const httpDate = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*, .* GMT$/;

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
    : httpDate.test(header)
      ? Math.max(Date.parse(header) - now, 0)
      : Number.NaN;
  return Number.isFinite(ms) ? ms : undefined;
}

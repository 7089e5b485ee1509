/**
 * How long a service asks to be left alone, in milliseconds: a `Retry-After` in seconds (RFC 9110 §10.2.3). Undefined for
 * anything else; a date is none that an API of text messages sends.
 */
export function retryAfterMs(header: string | readonly string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,9}(\.\d+)?$/.test(header)
    ? Math.round(Number(header) * 1000)
    : undefined;
}

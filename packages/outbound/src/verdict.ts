import { delivered, failed, gone, type Verdict } from '@posthorn/core';
import type { OutboundResult } from './exchange.js';
import { retryAfterMs } from './retry-after.js';

/**
 * What an answer means where its service says nothing else: 2xx delivered, 410 gone, anything else failed. A redirect is
 * a failure; 429 and 503 may say when to come back. `readable` makes of the body what may go on record.
 */
export function verdictOf(
  result: OutboundResult,
  readable: (body: string) => string = (body) => body,
): Verdict {
  if (!result.ok) return failed(result.kind === 'aborted' ? 'timeout' : result.kind, result.message);
  const { status, headers } = result;
  const report = { status, response: readable(result.body) };
  if (status >= 200 && status < 300) return delivered(report);
  if (status === 410) return gone('http_status', 'answered 410: gone for good', report);
  if (status >= 300 && status < 400) {
    return failed('http_status', `answered ${status}; redirects are not followed`, report);
  }
  const waitMs = status === 429 || status === 503 ? retryAfterMs(headers['retry-after']) : undefined;
  return failed('http_status', `answered ${status}`, {
    ...report,
    ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
  });
}

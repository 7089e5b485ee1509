import { delivered, failed, gone, type Verdict } from '@posthorn/core';
import type { OutboundAnswer, OutboundResult } from './exchange.js';
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

/**
 * The same for a service with words of its own, of which the answer has none: a proxy's or a firewall's page, say. Nobody
 * at the service has said that anything is gone, or was taken where the answer is a page: both have failed.
 */
export function strangersVerdict(answer: OutboundAnswer): Verdict {
  const verdict = verdictOf(answer);
  const { status, body: response } = answer;
  if (verdict.outcome === 'gone') return failed('http_status', `answered ${status}`, { status, response });
  const isPage = /^\s*</.test(response);
  if (verdict.outcome !== 'delivered' || !isPage) return verdict;
  return failed('protocol', `answered ${status} with a page that is none of the service`, {
    status,
    response,
  });
}

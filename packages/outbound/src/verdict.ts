import { delivered, failed, gone, type Verdict } from '@posthorn/core/channel';
import type { OutboundAnswer, OutboundResult } from './exchange.js';
import { retryAfterMs } from './retry-after.js';

/**
 * Turns a response into a verdict by its status alone: 2xx is delivered, 410 is gone, anything else has failed,
 * redirects included. `Retry-After` counts for 429 and 503. `readable` converts the body to the text that is recorded.
 */
export function verdictOf(
  result: OutboundResult,
  readable: (body: string) => string = (body) => body,
): Verdict {
  if (!result.ok) return failed(result.kind === 'aborted' ? 'timeout' : result.kind, result.message);
  const { status, headers } = result;
  const report = { status, response: readable(result.body) };
  if (status >= 200 && status < 300) return delivered(report);
  if (status === 410) return gone('http_status', 'answered 410: gone permanently', report);
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
 * Turns a response that lacks the service's own format into a verdict, e.g. the page of a proxy or a firewall. The
 * service itself did not send it. Therefore a 410 has failed instead of gone, and a 2xx with an HTML page has failed
 * instead of delivered.
 */
export function strangersVerdict(answer: OutboundAnswer): Verdict {
  const verdict = verdictOf(answer);
  const { status, body: response } = answer;
  if (verdict.outcome === 'gone') return failed('http_status', `answered ${status}`, { status, response });
  const isPage = /^\s*</.test(response);
  if (verdict.outcome !== 'delivered' || !isPage) return verdict;
  return failed('protocol', `answered ${status} with an HTML page that is not from the service`, {
    status,
    response,
  });
}

import { isPosthornError } from '@posthorn/core';
import { parseOptions, redact } from '@posthorn/core/channel';
import { checkHeaders, type Outbound, type OutboundOptions, outboundOf, verdictOf } from '@posthorn/outbound';
import { invalid } from './options.js';
import type { SmsProvider } from './provider.js';

/** Options of `httpSmsProvider`. */
export interface HttpSmsProviderOptions {
  /** The URL that texts are posted to, of the application or its gateway. */
  readonly url: string;
  /** Headers of each request, e.g. credentials. See `checkHeaders` of `@posthorn/outbound`. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The client to send with, or options for a new one. Default: a new client for `https:` and public addresses. */
  readonly outbound?: Outbound | OutboundOptions;
}

/**
 * Creates a provider that posts each text as JSON, `{ to, text, event_id, delivery_id }`. `to`, `event_id` and
 * `delivery_id` are the same at every attempt. Throws `invalid_option` or `invalid_header`. Responses:
 * - 2xx: the gateway has accepted the text.
 * - 422: this number will never get the text.
 * - 401, 403: the credentials are refused.
 * - Anything else has failed and is retried; `Retry-After` is respected on 429 and 503.
 */
export function httpSmsProvider(options: HttpSmsProviderOptions): SmsProvider {
  const given = parseOptions(options, ['url', 'headers', 'outbound'], 'httpSmsProvider');
  const { url } = given;
  if (typeof url !== 'string' || !URL.canParse(url)) throw invalid('url must be a full URL');
  const own = checkHeaders(given.headers ?? {});
  const outbound = outboundOf(given.outbound);
  const headers = { ...own, 'content-type': 'application/json', accept: 'application/json' };
  // A credential is a secret without its scheme too.
  const secrets = Object.values(own).flatMap((value) => [value, ...value.split(' ').slice(1)]);

  return {
    async send({ to, text, eventId, deliveryId }, signal) {
      const body = JSON.stringify({ to, text, event_id: eventId, delivery_id: deliveryId });
      try {
        const result = await outbound.request({ url, headers, body, idempotent: true, signal });
        const verdict = verdictOf(result, (answer) => redact(answer, secrets));
        if (verdict.outcome === 'failed' && verdict.status === 422) {
          return { ...verdict, outcome: 'rejected' };
        }
        if (verdict.outcome === 'failed' && (verdict.status === 401 || verdict.status === 403)) {
          return { ...verdict, kind: 'credentials' };
        }
        // A 410 concerns the gateway, which the application has to fix, not this number.
        return verdict.outcome === 'gone' ? { ...verdict, outcome: 'failed' } : verdict;
      } catch (error) {
        // The URL is not allowed. It belongs to the application, not to the webhook.
        if (isPosthornError(error)) {
          return { outcome: 'failed', kind: 'channel_error', message: error.message };
        }
        throw error;
      }
    },
  };
}

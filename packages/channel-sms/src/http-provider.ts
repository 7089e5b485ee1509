import { isPosthornError, optionsOf, redact } from '@posthorn/core';
import { checkHeaders, type Outbound, type OutboundOptions, outboundOf, verdictOf } from '@posthorn/outbound';
import { invalid } from './options.js';
import type { SmsProvider } from './provider.js';

export interface HttpSmsProviderOptions {
  /** Where texts are posted to: an address of the application or of its gateway. */
  readonly url: string;
  /** Sent with each, credentials say. See `checkHeaders` of `@posthorn/outbound`. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The client to send with, or what to make one of. Default: one of its own, for `https:` and public addresses. */
  readonly outbound?: Outbound | OutboundOptions;
}

/**
 * Posts each text as JSON, `{ to, text, event_id, delivery_id }`: the last two and `to` are the same at every attempt. Any
 * 2xx says that the text was taken, 422 that this number will never get it, 401 and 403 that our credentials are refused;
 * anything else has failed and is tried again, on 429 and 503 when `Retry-After` says. Throws `invalid_option`, `invalid_header`.
 */
export function httpSmsProvider(options: HttpSmsProviderOptions): SmsProvider {
  const given = optionsOf(options, ['url', 'headers', 'outbound'], 'httpSmsProvider');
  const { url } = given;
  if (typeof url !== 'string' || !URL.canParse(url)) throw invalid('url must be a full URL');
  const own = checkHeaders(given.headers ?? {});
  const outbound = outboundOf(given.outbound);
  const headers = { ...own, 'content-type': 'application/json', accept: 'application/json' };
  // A credential is as good without the scheme in front of it.
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
        // What is gone for good is the gateway: the application's to mend, and nothing about this number.
        return verdict.outcome === 'gone' ? { ...verdict, outcome: 'failed' } : verdict;
      } catch (error) {
        // An address that must not be used: it is the application's, not the webhook's.
        if (isPosthornError(error)) {
          return { outcome: 'failed', kind: 'channel_error', message: error.message };
        }
        throw error;
      }
    },
  };
}

import { type Channel, isPosthornError } from '@posthorn/core';
import { failed, parseOptions } from '@posthorn/core/channel';
import { type SmsConfigs, smsConfigs } from './configs.js';
import { checkNumber, invalid } from './options.js';
import type { SmsProvider } from './provider.js';
import { recipientsOf } from './recipients.js';
import { segmentsOf } from './segments.js';
import { sendToEach } from './send-to-each.js';
import { textOf } from './text.js';

/** Options of `smsChannel`. */
export interface SmsChannelOptions {
  /** The service that sends the texts: `twilio(…)`, `httpSmsProvider(…)`, or your own. */
  readonly provider: SmsProvider;
  /** Cap on the segments of a text, 1 to 10. A longer text is cut. Default 3. */
  readonly maxSegments?: number;
  /** Timeout of an attempt for all numbers together, in milliseconds: 100 to 60,000. Default 10,000. */
  readonly timeoutMs?: number;
}

/**
 * How much later than the timeout the engine's deadline is. The channel ends the attempt first, because it knows which
 * numbers have the text by then.
 */
const graceMs = 250;

/**
 * Creates the `sms` channel: it sends an event as a text to each phone number of the webhook, through a provider.
 * Numbers that have the text are not texted again when others are retried. Throws `invalid_option`.
 */
export function smsChannel(options: SmsChannelOptions): Channel<SmsConfigs, 'sms'> {
  const known = ['provider', 'maxSegments', 'timeoutMs'] as const;
  const { provider, maxSegments = 3, timeoutMs = 10_000 } = parseOptions(options, known, 'smsChannel');
  if (typeof provider?.send !== 'function') throw invalid('provider must have a function send');
  checkNumber('maxSegments', maxSegments, 1, 10);
  checkNumber('timeoutMs', timeoutMs, 100, 60_000);

  return {
    type: 'sms',
    config: smsConfigs,
    supportsDigests: true,
    deadlineMs: () => timeoutMs + graceMs,

    async send(message, signal) {
      const { event, deliveryId } = message;
      let text: string;
      try {
        text = textOf(message, maxSegments);
      } catch (error) {
        // Keeps the checkpoint: numbers that have the text from an earlier attempt must not get it again.
        const before = message.checkpoint === undefined ? {} : { checkpoint: message.checkpoint };
        if (isPosthornError(error)) return failed('config', error.message, before);
        throw error;
      }
      const recipients = recipientsOf(message);
      const texts = recipients.open.map((to) => ({ to, text, deliveryId, eventId: event.id }));
      const results = await sendToEach(texts, provider, signal, timeoutMs);
      return recipients.verdictOf(results);
    },

    async preview(message) {
      const text = textOf(message, maxSegments);
      const { encoding, parts } = segmentsOf(text);
      return [
        { name: 'text', type: 'text/plain', text },
        { name: 'segments', type: 'text/plain', text: `${parts.length} of ${encoding}` },
      ];
    },
  };
}

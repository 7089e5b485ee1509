import { type Channel, failed, isPosthornError, optionsOf } from '@posthorn/core';
import { type SmsConfigs, smsConfigs } from './configs.js';
import { checkNumber, invalid } from './options.js';
import type { SmsProvider } from './provider.js';
import { recipientsOf } from './recipients.js';
import { segmentsOf } from './segments.js';
import { sendToEach } from './send-to-each.js';
import { textOf } from './text.js';

export interface SmsChannelOptions {
  /** Who sends the texts: `twilio(…)`, `httpSmsProvider(…)`, or one of your own. */
  readonly provider: SmsProvider;
  /** A longer text is cut, and charged as so many: 1 to 10. Default 3. */
  readonly maxSegments?: number;
  /** The whole of an attempt, for all numbers together: 100 to 60,000. Default 10,000. */
  readonly timeoutMs?: number;
}

/** The attempt ends at its timeout and knows who has it by then; the engine's deadline, which does not, stands behind it. */
const graceMs = 250;

/**
 * The `sms` channel: an event as a text to each of the webhook's phone numbers, through a provider. Numbers that have it
 * are not texted again when others are retried. Throws `invalid_option`.
 */
export function smsChannel(options: SmsChannelOptions): Channel<SmsConfigs> {
  const known = ['provider', 'maxSegments', 'timeoutMs'] as const;
  const { provider, maxSegments = 3, timeoutMs = 10_000 } = optionsOf(options, known, 'smsChannel');
  if (typeof provider?.send !== 'function') throw invalid('provider must have a function send');
  checkNumber('maxSegments', maxSegments, 1, 10);
  checkNumber('timeoutMs', timeoutMs, 100, 60_000);

  return {
    type: 'sms',
    config: smsConfigs,
    takesDigests: true,
    deadlineMs: () => timeoutMs + graceMs,

    async send(message, signal) {
      const { event, deliveryId } = message;
      let text: string;
      try {
        text = textOf(message, maxSegments);
      } catch (error) {
        // Who has it from an attempt before must not get it again.
        const before = message.memo === undefined ? {} : { memo: message.memo };
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

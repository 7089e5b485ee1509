import { type Channel, isPosthornError } from '@posthorn/core';
import { failed, redact } from '@posthorn/core/channel';
import type { SendMailOptions } from 'nodemailer';
import { type EmailConfigs, emailConfigs } from './configs.js';
import { contentOf } from './content.js';
import { mailOf } from './mail.js';
import { type EmailChannelOptions, settingsOf } from './options.js';
import { checkpointOf, recipientsOf } from './recipients.js';
import { sendMail } from './send-mail.js';
import { verdictOf } from './verdict.js';

/** The channel, with a method to close its connections. */
export interface EmailChannel extends Channel<EmailConfigs, 'email'> {
  /** Closes the channel's connections. Call it after the dispatcher has stopped. Your own transport is not closed. */
  close(): Promise<void>;
}

/**
 * How much later than the channel's timeout the engine's deadline is. The channel ends the attempt first, because it
 * knows which recipients are done by then.
 */
const graceMs = 1_000;

/**
 * Creates the `email` channel: one message to all recipients of a binding, in HTML and plain text. Its Message-ID is
 * derived from the delivery, so that mail programs show a repeated mail once. Only temporarily refused recipients are
 * retried. If the server hangs up because of some recipients, each recipient gets a message of its own. Throws
 * `invalid_option`.
 */
export function emailChannel(options: EmailChannelOptions): EmailChannel {
  const settings = settingsOf(options);
  const { transport, timeoutMs } = settings;

  return {
    type: 'email',
    config: emailConfigs,
    supportsDigests: true,
    deadlineMs: () => timeoutMs + graceMs,

    async preview(message) {
      const { subject, html, text } = await contentOf(message, settings.defaultContent);
      return [
        { name: 'subject', type: 'text/plain', text: subject },
        ...(html === undefined ? [] : [{ name: 'html', type: 'text/html', text: html }]),
        { name: 'text', type: 'text/plain', text },
      ];
    },

    async send(message, signal) {
      const recipients = recipientsOf(message);
      // The webhook was changed, and no recipient is left.
      if (recipients.left.length === 0) {
        return verdictOf(recipients, { accepted: [], refusals: [], response: '' }, String);
      }
      let mail: SendMailOptions;
      try {
        mail = mailOf(message, recipients, await contentOf(message, settings.defaultContent), settings);
      } catch (error) {
        // A template or link is invalid, or the application's own function threw. Nothing was sent.
        return failed(
          isPosthornError(error) ? 'config' : 'channel_error',
          error instanceof Error ? error.message : 'the mail could not be written',
          checkpointOf(recipients),
        );
      }
      // Every second attempt only, because a server may be slow with all recipients.
      const isImpatient = message.attempt % 2 === 0;
      const outcome = await sendMail(mail, recipients.left, { transport, timeoutMs, signal, isImpatient });
      return verdictOf(recipients, outcome, (text) => redact(text, transport.secrets));
    },

    async close() {
      transport.close();
    },
  };
}

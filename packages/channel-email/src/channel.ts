import { type Channel, failed, isPosthornError, redact } from '@posthorn/core';
import type { SendMailOptions } from 'nodemailer';
import { type EmailConfigs, emailConfigs } from './configs.js';
import { contentOf } from './content.js';
import { mailOf } from './mail.js';
import { type EmailChannelOptions, settingsOf } from './options.js';
import { memoOf, recipientsOf } from './recipients.js';
import { sendMail } from './send-mail.js';
import { verdictOf } from './verdict.js';

/** The channel, and an end to its connections. */
export interface EmailChannel extends Channel<EmailConfigs> {
  /** Ends the connections that the channel keeps, when the dispatcher has stopped; a transport of your own stays as it is. */
  close(): Promise<void>;
}

/** The channel ends an attempt itself, and knows who is through by then; the engine's deadline stands behind it. */
const graceMs = 1_000;

/**
 * The `email` channel: one message to all recipients of a binding, in HTML and plain text. Its Message-ID is the
 * delivery's, so that a mail that comes twice is seen once. Recipients that were refused for a while are tried again,
 * the others not; where the server hangs up on all for the sake of some, each gets a message of its own. Throws
 * `invalid_option`.
 */
export function emailChannel(options: EmailChannelOptions): EmailChannel {
  const settings = settingsOf(options);
  const { transport, timeoutMs } = settings;

  return {
    type: 'email',
    config: emailConfigs,
    takesDigests: true,
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
      // The webhook was changed, and nobody is left.
      if (recipients.left.length === 0) {
        return verdictOf(recipients, { accepted: [], refusals: [], response: '' }, String);
      }
      let mail: SendMailOptions;
      try {
        mail = mailOf(message, recipients, await contentOf(message, settings.defaultContent), settings);
      } catch (error) {
        // A template or a link that cannot be used, or the application's own function threw: nothing was sent.
        return failed(
          isPosthornError(error) ? 'config' : 'channel_error',
          error instanceof Error ? error.message : 'the mail could not be written',
          memoOf(recipients),
        );
      }
      // Every second one: a server may just be slow, with everybody.
      const isImpatient = message.attempt % 2 === 0;
      const outcome = await sendMail(mail, recipients.left, { transport, timeoutMs, signal, isImpatient });
      return verdictOf(recipients, outcome, (text) => redact(text, transport.secrets));
    },

    async close() {
      transport.close();
    },
  };
}

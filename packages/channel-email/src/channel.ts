import { type Channel, failed, isPosthornError, type Message, PosthornError, redact } from '@posthorn/core';
import type { SendMailOptions } from 'nodemailer';
import { encodeWord } from 'nodemailer/lib/mime-funcs';
import { type EmailConfigs, emailConfigs } from './configs.js';
import { contentOf } from './content.js';
import type { EmailContent } from './default-content.js';
import { type EmailChannelOptions, type Settings, settingsOf } from './options.js';
import { type Outcome, outcomeOf, outcomeOfError } from './outcome.js';
import { memoOf, type Recipients, recipientsOf } from './recipients.js';
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
 * the others not. Throws `invalid_option`.
 */
export function emailChannel(options: EmailChannelOptions): EmailChannel {
  const settings = settingsOf(options);
  const { transport, timeoutMs } = settings;

  return {
    type: 'email',
    config: emailConfigs,
    takesDigests: true,
    letsGoOfSignal: true,
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
      const outcome = await within(timeoutMs, signal, (ending) =>
        transport.sendMail({ ...mail, signal: ending }),
      ).then(
        (info) => outcomeOf(info, recipients.left),
        (error): Outcome => outcomeOfError(error),
      );
      return verdictOf(recipients, outcome, (text) => redact(text, transport.secrets));
    },

    async close() {
      transport.close();
    },
  };
}

/** Our own fields and no others: nothing that a tenant says becomes an option of the transport. */
function mailOf(
  message: Message<EmailConfigs>,
  { to, cc, left }: Recipients,
  content: EmailContent,
  settings: Settings,
): SendMailOptions {
  const { from } = settings;
  // As objects they are not parsed again.
  const mailboxes = (addresses: readonly string[]) => addresses.map((address) => ({ name: '', address }));
  return {
    from,
    to: mailboxes(to),
    cc: mailboxes(cc),
    envelope: { from: from.address, to: [...left] },
    // Text that looks like an encoded word would be taken for one, and decoded by whoever reads it (RFC 2047 §6.2).
    subject: content.subject.includes('=?') ? encodeWord(content.subject, 'Q', 52) : content.subject,
    text: content.text,
    ...(content.html !== undefined && { html: content.html }),
    date: message.startedAt,
    messageId: `<${message.deliveryId}@${from.address.split('@')[1]}>`,
    headers: {
      // No out-of-office replies, please (RFC 3834 §5).
      'Auto-Submitted': 'auto-generated',
      ...unsubscribeHeaders(message, settings),
    },
    xMailer: false,
    textEncoding: 'quoted-printable',
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** RFC 2369 §3.2, and one click where that is possible (RFC 8058 §3.1). Throws `invalid_option`. */
function unsubscribeHeaders(
  message: Message<EmailConfigs>,
  { listUnsubscribe }: Pick<Settings, 'listUnsubscribe'>,
): Record<string, string> {
  const { all } = recipientsOf(message);
  const link = listUnsubscribe(message, all.length === 1 ? all[0] : undefined);
  if (link === undefined) return {};
  const url = typeof link === 'string' && URL.canParse(link) ? new URL(link) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'mailto:') {
    throw new PosthornError('invalid_option', 'listUnsubscribe must return an https: or mailto: link');
  }
  return {
    'List-Unsubscribe': `<${url.href.replace(/[<>\s,]/g, encodeURIComponent)}>`,
    ...(url.protocol === 'https:' && { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' }),
  };
}

/** Ends `work` when `signal` says so or the time is over, whether it heeds its own signal or not. */
async function within<T>(
  ms: number,
  signal: AbortSignal,
  work: (ending: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const ended = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () =>
      reject(Object.assign(new Error('the attempt was ended'), { code: 'EABORT' })),
    );
  });
  const end = () => controller.abort();
  const timer = setTimeout(end, ms);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([ended, signal.aborted ? ended : work(controller.signal)]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}

import { PosthornError } from '@posthorn/core';
import type { Message } from '@posthorn/core/channel';
import type { SendMailOptions } from 'nodemailer';
import { encodeWord } from 'nodemailer/lib/mime-funcs';
import type { EmailConfigs } from './configs.js';
import type { EmailContent } from './default-content.js';
import type { Settings } from './options.js';
import type { Recipients } from './recipients.js';

/**
 * Builds the mail for nodemailer, to the recipients that are left. It sets known fields only, so that a tenant's data
 * cannot become an option of the transport. Throws `invalid_option` if `listUnsubscribe` returns an invalid link.
 */
export function mailOf(
  message: Message<EmailConfigs>,
  { to, cc, all, left }: Recipients,
  content: EmailContent,
  settings: Settings,
): SendMailOptions {
  const { from } = settings;
  // nodemailer does not parse addresses that are objects.
  const mailboxes = (addresses: readonly string[]) => addresses.map((address) => ({ name: '', address }));
  return {
    from,
    to: mailboxes(to),
    cc: mailboxes(cc),
    envelope: { from: from.address, to: [...left] },
    // Readers would decode text that looks like an encoded word (RFC 2047 §6.2).
    subject: content.subject.includes('=?') ? encodeWord(content.subject, 'Q', 52) : content.subject,
    text: content.text,
    ...(content.html !== undefined && { html: content.html }),
    date: message.startedAt,
    messageId: `<${message.deliveryId}@${from.address.split('@')[1]}>`,
    headers: {
      // Prevents out-of-office replies (RFC 3834 §5).
      'Auto-Submitted': 'auto-generated',
      ...unsubscribeHeaders(settings.listUnsubscribe(message, all.length === 1 ? all[0] : undefined)),
    },
    xMailer: false,
    textEncoding: 'quoted-printable',
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** Builds the headers of RFC 2369 §3.2, with one click for `https:` (RFC 8058 §3.1). Throws `invalid_option`. */
function unsubscribeHeaders(link: string | undefined): Record<string, string> {
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

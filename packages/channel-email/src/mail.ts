import { type Message, PosthornError } from '@posthorn/core';
import type { SendMailOptions } from 'nodemailer';
import { encodeWord } from 'nodemailer/lib/mime-funcs';
import type { EmailConfigs } from './configs.js';
import type { EmailContent } from './default-content.js';
import type { Settings } from './options.js';
import type { Recipients } from './recipients.js';

/**
 * The mail for nodemailer, to whoever is left: our own fields and no others, so that nothing that a tenant says becomes an
 * option of the transport. Throws `invalid_option` where the application gives no link that can be used.
 */
export function mailOf(
  message: Message<EmailConfigs>,
  { to, cc, all, left }: Recipients,
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
      ...unsubscribeHeaders(settings.listUnsubscribe(message, all.length === 1 ? all[0] : undefined)),
    },
    xMailer: false,
    textEncoding: 'quoted-printable',
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** RFC 2369 §3.2, and one click where that is possible (RFC 8058 §3.1). Throws `invalid_option`. */
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

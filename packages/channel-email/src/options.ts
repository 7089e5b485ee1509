import { kindOf, type Message, optionsOf, PosthornError } from '@posthorn/core';
import { parseAddress } from './address.js';
import type { EmailConfigs } from './configs.js';
import { defaultContent, type EmailContent } from './default-content.js';
import { type MailTransport, openTransport, type SmtpSettings, type Transport } from './transport.js';

/** Who mail is from: `events@example.com`, `Acme <events@example.com>`, or the parts. */
export type Sender = string | { readonly name?: string; readonly address: string };

export interface EmailChannelOptions {
  /**
   * How mail leaves: `smtp://…` or `smtps://…`, nodemailer's settings for SMTP, or a transport of your own, of which only
   * `sendMail` is used. The channel keeps up to five connections open to a server that it is told of (`maxConnections`).
   */
  readonly transport: string | SmtpSettings | MailTransport;
  /** The From of every mail. May be left out where the transport's defaults have one. */
  readonly from?: Sender;
  /** Whether to send over a connection without TLS where the server offers none, the password too. Default false. */
  readonly allowPlaintext?: boolean;
  /** The whole of an attempt, in milliseconds: mail servers answer slowly on purpose. Default 60,000. */
  readonly timeoutMs?: number;
  /**
   * Where a reader can end these mails: an `https:` or `mailto:` link for List-Unsubscribe, of `https:` with one click
   * (RFC 8058), or undefined for none. `recipient` is there where the message has just one. Default: no link.
   */
  readonly listUnsubscribe?: (message: Message<EmailConfigs>, recipient?: string) => string | undefined;
  /**
   * What stands in a mail whose webhook has no template for it. The subject is cleaned and cut; HTML goes out as it is.
   * Default: the event's type, subject, time and payload, light and dark.
   */
  readonly defaultContent?: (message: Message<EmailConfigs>) => EmailContent | Promise<EmailContent>;
}

/** The options, checked, with every default in its place. */
export interface Settings {
  readonly transport: Transport;
  readonly from: { readonly name: string; readonly address: string };
  readonly timeoutMs: number;
  readonly listUnsubscribe: NonNullable<EmailChannelOptions['listUnsubscribe']>;
  readonly defaultContent: NonNullable<EmailChannelOptions['defaultContent']>;
}

const names = [
  ...(['transport', 'from', 'allowPlaintext', 'timeoutMs', 'listUnsubscribe', 'defaultContent'] as const),
];
const maxTimeoutMs = 600_000;

/** Throws `invalid_option`, naming the option. */
export function settingsOf(given: EmailChannelOptions): Settings {
  const options = optionsOf(given, names, 'emailChannel') as EmailChannelOptions;
  const { allowPlaintext = false, timeoutMs = 60_000, listUnsubscribe = () => undefined } = options;
  if (typeof allowPlaintext !== 'boolean') throw invalid('allowPlaintext must be true or false');
  if (!(Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= maxTimeoutMs)) {
    throw invalid(`timeoutMs must be a whole number of milliseconds from 1 to ${maxTimeoutMs}`);
  }
  if (typeof listUnsubscribe !== 'function') {
    throw invalid(`listUnsubscribe must be a function, not ${kindOf(listUnsubscribe)}`);
  }
  const content = options.defaultContent ?? defaultContent;
  if (typeof content !== 'function') {
    throw invalid(`defaultContent must be a function, not ${kindOf(content)}`);
  }
  const transport = openTransport(options.transport, allowPlaintext);
  return {
    transport,
    from: senderOf(options.from ?? transport.from),
    timeoutMs,
    listUnsubscribe,
    defaultContent: content,
  };
}

function senderOf(from: unknown): Settings['from'] {
  if (from === undefined)
    throw invalid('from is required: who mail is from, as in Acme <events@example.com>');
  const { name, address } = typeof from === 'string' ? partsOf(from) : Object(from);
  const parsed = typeof address === 'string' ? parseAddress(address.trim()) : undefined;
  if (!parsed?.address || (name !== undefined && (typeof name !== 'string' || /\p{Cc}/u.test(name)))) {
    throw invalid('from must be an address like events@example.com, or Acme <events@example.com>');
  }
  return { name: name ?? '', address: parsed.address };
}

function partsOf(from: string): { readonly name?: string; readonly address: string } {
  const [, name, address] = /^([^<>]*)<([^<>]*)>\s*$/.exec(from) ?? [];
  return address === undefined
    ? { address: from }
    : { name: name!.trim().replace(/^"(.*)"$/, '$1'), address };
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

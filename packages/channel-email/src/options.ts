import { PosthornError } from '@posthorn/core';
import { describeType, type Message, parseOptions } from '@posthorn/core/channel';
import { parseAddress } from './address.js';
import type { EmailConfigs } from './configs.js';
import { defaultContent, type EmailContent } from './default-content.js';
import { type MailTransport, openTransport, type SmtpSettings, type Transport } from './transport.js';

/** The sender: `events@example.com`, `Acme <events@example.com>`, or its parts. */
export type Sender = string | { readonly name?: string; readonly address: string };

/** Options of `emailChannel`. */
export interface EmailChannelOptions {
  /**
   * The mail server: `smtp://…` or `smtps://…`, nodemailer's SMTP settings, or your own transport with `sendMail`. For
   * a URL or settings, the channel keeps up to five connections open (`maxConnections`).
   */
  readonly transport: string | SmtpSettings | MailTransport;
  /** The From of every mail. Optional if the transport's defaults have one. */
  readonly from?: Sender;
  /** Whether to send mail and password without TLS if the server does not offer it. Default false. */
  readonly allowPlaintext?: boolean;
  /** Timeout of an attempt in milliseconds. Mail servers answer slowly on purpose. Default 60,000. */
  readonly timeoutMs?: number;
  /**
   * Returns the link for List-Unsubscribe: an `https:` link (with one click, RFC 8058), a `mailto:` link, or undefined
   * for none. `recipient` is set if the message has exactly one. Default: no link.
   */
  readonly listUnsubscribe?: (message: Message<EmailConfigs>, recipient?: string) => string | undefined;
  /**
   * Builds the content of a mail whose webhook has no template. The subject is cleaned and cut; HTML is sent unchanged.
   * Default: the event's type, subject, time and payload, for light and dark mode.
   */
  readonly defaultContent?: (message: Message<EmailConfigs>) => EmailContent | Promise<EmailContent>;
}

/** The validated options, with all defaults applied. */
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

/** Validates the options. Throws `invalid_option`, naming the option. */
export function settingsOf(given: EmailChannelOptions): Settings {
  const options = parseOptions(given, names, 'emailChannel') as EmailChannelOptions;
  const { allowPlaintext = false, timeoutMs = 60_000, listUnsubscribe = () => undefined } = options;
  if (typeof allowPlaintext !== 'boolean') throw invalid('allowPlaintext must be true or false');
  if (!(Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= maxTimeoutMs)) {
    throw invalid(`timeoutMs must be a whole number of milliseconds from 1 to ${maxTimeoutMs}`);
  }
  if (typeof listUnsubscribe !== 'function') {
    throw invalid(`listUnsubscribe must be a function, not ${describeType(listUnsubscribe)}`);
  }
  const content = options.defaultContent ?? defaultContent;
  if (typeof content !== 'function') {
    throw invalid(`defaultContent must be a function, not ${describeType(content)}`);
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
  if (from === undefined) throw invalid('from is required: the sender, e.g. Acme <events@example.com>');
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

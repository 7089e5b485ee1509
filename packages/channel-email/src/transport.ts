import { PosthornError } from '@posthorn/core';
import { describeType } from '@posthorn/core/channel';
import { createTransport, type SendMailOptions, type SMTPPoolOptions } from 'nodemailer';
import { hearAnswers } from './answers.js';

/** nodemailer's settings for an SMTP server, see nodemailer.com/smtp. Pooled unless `pool` is false. */
export type SmtpSettings = Omit<SMTPPoolOptions, 'pool'> & { readonly pool?: boolean };

/** The part of a nodemailer transport of any version that is used. From version 10.5 on it supports `signal`. */
export interface MailTransport {
  sendMail(mail: SendMailOptions): Promise<unknown>;
}

/** A transport that is ready to use. */
export interface Transport extends MailTransport {
  /** Whether `signal` aborts a transaction and closes its connection. */
  readonly heedsSignal: boolean;
  /** The default sender of the transport, if it has one. */
  readonly from: unknown;
  /** The secrets in its settings. */
  readonly secrets: readonly string[];
  /** Closes the connections if they belong to the channel. */
  close(): void;
}

const ours = {
  pool: true,
  // Replaces a dead kept connection once, if no byte of the message was sent.
  maxRequeues: 1,
  connectionTimeout: 15_000,
  greetingTimeout: 15_000,
  // Does not wait for a server that keeps talking after the connection was closed.
  socketCloseTimeout: 1_000,
  disableFileAccess: true,
  disableUrlAccess: true,
};

/** Opens a transport. Throws `invalid_option`; the message never quotes the URL, which may contain a password. */
export function openTransport(transport: unknown, allowPlaintext: boolean): Transport {
  if (isTransport(transport)) {
    hearAnswers(transport);
    const { _defaults: defaults, transporter } = transport as {
      readonly _defaults?: { readonly from?: unknown };
      readonly transporter?: unknown;
    };
    return {
      heedsSignal: Object(transporter).supportsAbortSignal === true,
      sendMail: (mail) => transport.sendMail(mail),
      from: defaults?.from,
      secrets: [],
      close: () => undefined,
    };
  }
  const settings = smtpSettings(transport);
  const pool = createTransport({ ...ours, requireTLS: !allowPlaintext, ...settings } as SMTPPoolOptions);
  const { secure, requireTLS, auth } = pool.options;
  if (!allowPlaintext && secure !== true && requireTLS !== true) {
    throw invalid('transport turns STARTTLS off; set allowPlaintext: true if that is intended');
  }
  hearAnswers(pool);
  // `sendMail` already reports the failure of each send.
  pool.on('error', () => undefined);
  let isClosed = false;
  return {
    heedsSignal: true,
    async sendMail(mail) {
      if (isClosed) throw Object.assign(new Error('the channel was closed'), { code: 'ECONFIG' });
      return pool.sendMail(mail);
    },
    from: undefined,
    secrets: secretsOf(Object(auth)),
    close() {
      isClosed = true;
      pool.close();
    },
  };
}

const isTransport = (value: unknown): value is MailTransport => typeof Object(value).sendMail === 'function';

function smtpSettings(transport: unknown): SmtpSettings {
  if (typeof transport === 'string') {
    if (!/^smtps?:\/\/[^/?#]/i.test(transport)) throw invalid('transport must be a URL of smtp: or smtps:');
    return { url: transport };
  }
  if (typeof transport !== 'object' || transport === null) {
    throw invalid(
      `transport must be a URL, SMTP settings or a nodemailer transport, not ${describeType(transport)}`,
    );
  }
  if (!['host', 'url', 'service'].some((name) => Object.hasOwn(transport, name))) {
    throw invalid(
      'transport must have host, url or service; for another kind of transport, pass the result of createTransport',
    );
  }
  return transport;
}

/** Returns password and tokens, also encoded as in AUTH (RFC 4616, RFC 4954), because a server may repeat them. */
function secretsOf(auth: Readonly<Record<string, unknown>>): readonly string[] {
  const texts = ['pass', 'accessToken', 'refreshToken', 'clientSecret', 'privateKey']
    .map((name) => auth[name])
    .filter((text) => typeof text === 'string');
  const encoded = texts.flatMap((text) => [text, `\0${auth.user}\0${text}`]);
  return [...texts, ...encoded.map((text) => Buffer.from(text).toString('base64'))];
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

import { kindOf, PosthornError } from '@posthorn/core';
import { createTransport, type SendMailOptions, type SMTPPoolOptions } from 'nodemailer';
import { hearAnswers } from './answers.js';

/** nodemailer's settings for an SMTP server; see nodemailer.com/smtp. Pooled unless `pool` is false. */
export type SmtpSettings = Omit<SMTPPoolOptions, 'pool'> & { readonly pool?: boolean };

/** The part of a nodemailer transport that is used, of whatever version. From 10.5 on it heeds `signal`. */
export interface MailTransport {
  sendMail(mail: SendMailOptions): Promise<unknown>;
}

/** A transport made ready. */
export interface Transport extends MailTransport {
  /** Whether a `signal` ends what is being sent, and its connection. */
  readonly heedsSignal: boolean;
  /** Who mail is from by its defaults, if it says so. */
  readonly from: unknown;
  /** What of its settings must not be told. */
  readonly secrets: readonly string[];
  /** Ends the connections, if they are the channel's own. */
  close(): void;
}

const ours = {
  pool: true,
  // A kept connection that turns out to be dead, with no byte of the message sent, is replaced once.
  maxRequeues: 1,
  connectionTimeout: 15_000,
  greetingTimeout: 15_000,
  // Hung up on is hung up: a server that goes on talking is not waited for.
  socketCloseTimeout: 1_000,
  disableFileAccess: true,
  disableUrlAccess: true,
};

/** Throws `invalid_option`; never quotes an address, which may hold a password. */
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
    throw invalid('transport turns STARTTLS off; say allowPlaintext: true if that is meant');
  }
  hearAnswers(pool);
  // Each send is told of its own failure: nobody has to hear of it twice.
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
    if (!/^smtps?:\/\/[^/?#]/i.test(transport)) throw invalid('transport must be an URL of smtp: or smtps:');
    return { url: transport };
  }
  if (typeof transport !== 'object' || transport === null) {
    throw invalid(
      `transport must be an URL, SMTP settings or a nodemailer transport, not ${kindOf(transport)}`,
    );
  }
  if (!['host', 'url', 'service'].some((name) => Object.hasOwn(transport, name))) {
    throw invalid(
      'transport must have host, url or service; of another kind, hand in what createTransport made',
    );
  }
  return transport;
}

/** The password and the tokens, also as they stand in AUTH (RFC 4616, RFC 4954): a server may repeat what it got. */
function secretsOf(auth: Readonly<Record<string, unknown>>): readonly string[] {
  const texts = ['pass', 'accessToken', 'refreshToken', 'clientSecret', 'privateKey']
    .map((name) => auth[name])
    .filter((text) => typeof text === 'string');
  const encoded = texts.flatMap((text) => [text, `\0${auth.user}\0${text}`]);
  return [...texts, ...encoded.map((text) => Buffer.from(text).toString('base64'))];
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

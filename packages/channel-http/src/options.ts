import { PosthornError } from '@posthorn/core';
import { describeType, type Message, parseOptions } from '@posthorn/core/channel';
import { type Outbound, type OutboundOptions, type OutboundTls, outboundOf } from '@posthorn/outbound';
import { type BodyWriter, bodyWriters, type HttpFormat } from './body.js';

/** Options of `httpChannel`. */
export interface HttpChannelOptions {
  /** The format of the body. Default `default`. */
  readonly format?: HttpFormat;
  /** The CloudEvents attribute `source`: a URI reference. Default `posthorn`. */
  readonly source?: string;
  /** The `User-Agent` header. Default `Posthorn`. */
  readonly userAgent?: string;
  /** The client to send with, or options for a new one. Default: a new client for `https:` and public addresses. */
  readonly outbound?: Outbound | OutboundOptions;
  /**
   * Returns the client certificate and the authorities for a webhook's receiver. Return the same object each time. May
   * be async, e.g. to read a secret store; an error fails the attempt. Default: none.
   */
  readonly tls?: TlsOf;
}

type TlsOf = (webhook: Message['webhook']) => OutboundTls | undefined | Promise<OutboundTls | undefined>;

/** The validated options, with all defaults applied. */
export interface Settings {
  readonly writer: BodyWriter;
  readonly userAgent: string;
  readonly outbound: Outbound;
  readonly tls: TlsOf | undefined;
}

const names = ['format', 'source', 'userAgent', 'outbound', 'tls'] as const;

const printable = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/** Validates the options. Throws `invalid_option`, naming the option. */
export function settingsOf(options: HttpChannelOptions): Settings {
  const given = parseOptions(options, names, 'httpChannel');
  const { format = 'default', source = 'posthorn', userAgent = 'Posthorn', outbound, tls } = given;
  if (typeof source !== 'string' || !printable.test(source) || source.includes(' ')) {
    throw invalid('source must be a URI reference');
  }
  if (typeof userAgent !== 'string' || !printable.test(userAgent)) {
    throw invalid('userAgent must contain printable ASCII characters only');
  }
  const writers = bodyWriters(source);
  if (!Object.hasOwn(writers, format)) {
    throw invalid(`format must be one of ${Object.keys(writers).join(', ')}`);
  }
  if (tls !== undefined && typeof tls !== 'function') {
    throw invalid(`tls must be a function that takes the webhook, not ${describeType(tls)}`);
  }
  return {
    writer: writers[format],
    userAgent,
    outbound: outboundOf(outbound),
    tls,
  };
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

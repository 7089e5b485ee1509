import { kindOf, type Message, PosthornError } from '@posthorn/core';
import { createOutbound, type Outbound, type OutboundOptions, type OutboundTls } from '@posthorn/outbound';
import { type BodyWriter, bodyWriters, type HttpFormat } from './body.js';

export interface HttpChannelOptions {
  /** How events are written. Default `default`. */
  readonly format?: HttpFormat;
  /** Where events come from, in the words of CloudEvents: an URI reference. Default `posthorn`. */
  readonly source?: string;
  /** What requests call themselves. Default `Posthorn`. */
  readonly userAgent?: string;
  /** The client to send with, or what to make one of. Default: one of its own, for `https:` and public addresses. */
  readonly outbound?: Outbound | OutboundOptions;
  /**
   * The client certificate and the authorities for a webhook's receiver. Hand out the same object each time; a secret
   * store may be asked, and what it throws fails the attempt. Default: none.
   */
  readonly tls?: TlsOf;
}

type TlsOf = (webhook: Message['webhook']) => OutboundTls | undefined | Promise<OutboundTls | undefined>;

/** The options, checked, with every default in its place. */
export interface Settings {
  readonly writer: BodyWriter;
  readonly userAgent: string;
  readonly outbound: Outbound;
  readonly tls: TlsOf | undefined;
}

const names = ['format', 'source', 'userAgent', 'outbound', 'tls'];

const printable = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/** Throws `invalid_option`, naming the option. */
export function settingsOf(options: HttpChannelOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw invalid(`httpChannel takes an object of options, not ${kindOf(options)}`);
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalid(`no option is called ${unknown}; there is ${names.join(', ')}`);
  const { format = 'default', source = 'posthorn', userAgent = 'Posthorn', outbound = {}, tls } = options;
  if (typeof source !== 'string' || !printable.test(source) || source.includes(' ')) {
    throw invalid('source must be an URI reference');
  }
  if (typeof userAgent !== 'string' || !printable.test(userAgent)) {
    throw invalid('userAgent must hold printable ASCII characters');
  }
  if (typeof outbound !== 'object' || outbound === null) {
    throw invalid(`outbound must be an Outbound or its options, not ${kindOf(outbound)}`);
  }
  const writers = bodyWriters(source);
  if (!Object.hasOwn(writers, format)) {
    throw invalid(`format must be one of ${Object.keys(writers).join(', ')}`);
  }
  if (tls !== undefined && typeof tls !== 'function') {
    throw invalid(`tls must be a function of the webhook, not ${kindOf(tls)}`);
  }
  return {
    writer: writers[format],
    userAgent,
    outbound: 'request' in outbound ? outbound : createOutbound(outbound),
    tls,
  };
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

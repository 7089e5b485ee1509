import { type ErrorCode, PosthornError } from '@posthorn/core';
import { domainInAscii } from '@posthorn/core/channel';

const maxUrlLength = 2048;
const tooLong = `must have at most ${maxUrlLength} characters`;

const howToAllowHttp = 'the host application allows plain HTTP with policy.allowHttp';

/** Characters that the WHATWG parser drops or replaces (tabs, line breaks, `\`), so that people read another URL. */
const misread = /[\p{Cc}\p{Cs}\s\\]/u;

const authority = /^[a-z]+:\/\/([^/?#]+)/i;

const invalid = (message: string): PosthornError => refusedUrl('url_invalid', message);

/** Creates an error about a URL. The message never quotes the URL, whose path may be a secret. */
export function refusedUrl(code: ErrorCode, message: string): PosthornError {
  return new PosthornError(code, `url ${message}`, { issues: [{ path: [], message }] });
}

/** Parses a URL. Throws `url_invalid`, `url_scheme` or `url_credentials`. */
export function parseUrl(url: string, { allowHttp }: { readonly allowHttp: boolean }): URL {
  if (typeof url !== 'string') throw invalid('must be a string');
  if (url.length > maxUrlLength) throw invalid(tooLong);
  if (misread.test(url)) throw invalid('must not hold spaces, backslashes or control characters');
  if (!URL.canParse(url)) throw invalid('must be a full URL, like https://example.com/hook');
  const parsed = new URL(url);
  // The length as sent, where a letter like é takes six characters.
  if (parsed.href.length > maxUrlLength) throw invalid(tooLong);
  if (parsed.protocol !== 'https:' && !(allowHttp && parsed.protocol === 'http:')) {
    const https = allowHttp ? 'must begin with https:// or http://' : 'must begin with https://';
    throw refusedUrl('url_scheme', parsed.protocol === 'http:' ? `${https}; ${howToAllowHttp}` : https);
  }
  // The parser also accepts `https:host` and `https:////host`, which people read differently.
  const [, host] = authority.exec(url) ?? [];
  if (host === undefined) throw invalid('must name a host after //');
  // Checked in the text: an empty user name leaves no trace in the parsed URL.
  if (host.includes('@')) throw refusedUrl('url_credentials', 'must not hold a user name or password');
  if (domainInAscii(host.replace(/:\d*$/, '')) === undefined) {
    throw invalid('must name a host that all parsers read alike, without ẞ or an invalid xn-- label');
  }
  return parsed;
}

/** The host as it is checked and dialled: without IPv6 brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/**
 * Scheme, host and port. The trailing dot of a name is removed, as in certificates and the `Host` header:
 * `example.com.` is `example.com` (RFC 6066 §3 forbids the dot in SNI, and DNS treats both names alike).
 */
export function originOf({ protocol, hostname, port }: URL): string {
  return `${protocol}//${hostname.replace(/\.$/, '')}${port === '' ? '' : `:${port}`}`;
}

const defaultPort = (protocol: string): number => (protocol === 'https:' ? 443 : 80);

export const portOf = ({ protocol, port }: Pick<URL, 'protocol' | 'port'>): number =>
  Number(port || defaultPort(protocol));

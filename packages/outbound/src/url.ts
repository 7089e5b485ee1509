import { domainInAscii, type ErrorCode, PosthornError } from '@posthorn/core';

const maxUrlLength = 2048;
const tooLong = `must have at most ${maxUrlLength} characters`;

const howToAllowHttp = 'the host application allows plain HTTP with policy.allowHttp';

/** The WHATWG parser drops tabs and line breaks and turns `\` into `/`: whoever reads the text sees another address. */
const misread = /[\p{Cc}\p{Cs}\s\\]/u;

const authority = /^[a-z]+:\/\/([^/?#]+)/i;

const invalid = (message: string): PosthornError => refusedUrl('url_invalid', message);

/** An error about an address; it never quotes it, for its path may be a secret. */
export function refusedUrl(code: ErrorCode, message: string): PosthornError {
  return new PosthornError(code, `url ${message}`, { issues: [{ path: [], message }] });
}

/** Reads an address. Throws `url_invalid`, `url_scheme` or `url_credentials`. */
export function parseUrl(url: string, { allowHttp }: { readonly allowHttp: boolean }): URL {
  if (typeof url !== 'string') throw invalid('must be a string');
  if (url.length > maxUrlLength) throw invalid(tooLong);
  if (misread.test(url)) throw invalid('must not hold spaces, backslashes or control characters');
  if (!URL.canParse(url)) throw invalid('must be a full URL, like https://example.com/hook');
  const parsed = new URL(url);
  // Counted as it goes on the wire, where a letter like é has six characters.
  if (parsed.href.length > maxUrlLength) throw invalid(tooLong);
  if (parsed.protocol !== 'https:' && !(allowHttp && parsed.protocol === 'http:')) {
    const https = allowHttp ? 'must begin with https:// or http://' : 'must begin with https://';
    throw refusedUrl('url_scheme', parsed.protocol === 'http:' ? `${https}; ${howToAllowHttp}` : https);
  }
  // The parser also takes `https:host` and `https:////host`; people read those otherwise.
  const [, host] = authority.exec(url) ?? [];
  if (host === undefined) throw invalid('must name a host after //');
  // Looked for in the text: an empty user name leaves no trace in the parsed URL.
  if (host.includes('@')) throw refusedUrl('url_credentials', 'must not hold a user name or password');
  if (domainInAscii(host.replace(/:\d*$/, '')) === undefined) {
    throw invalid(
      'must name a host that is the same to all who read it, without ẞ or an xn-- that stands for nothing',
    );
  }
  return parsed;
}

/** The host as it is judged and dialled: without the brackets of IPv6. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/**
 * Scheme, host and port, with a name as certificates and receivers know it: `example.com.` is `example.com` (RFC 6066 §3
 * has no dot at the end of a name, and DNS asks for the same).
 */
export function originOf({ protocol, hostname, port }: URL): string {
  return `${protocol}//${hostname.replace(/\.$/, '')}${port === '' ? '' : `:${port}`}`;
}

const defaultPort = (protocol: string): number => (protocol === 'https:' ? 443 : 80);

export const portOf = ({ protocol, port }: Pick<URL, 'protocol' | 'port'>): number =>
  Number(port || defaultPort(protocol));

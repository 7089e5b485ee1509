import type { Socket } from 'node:net';
import { rootCertificates } from 'node:tls';
import { PosthornError } from '@posthorn/core';
import { buildConnector, errors } from 'undici';

/*
 * The one place that says where bytes may go. Every address is read by `check`, every connection is made by
 * `connect`; nothing else in this package parses an URL or opens a socket.
 */

/** What the host application allows; tenants have no say in it. */
export interface OutboundPolicy {
  /** Whether plain `http:` is allowed too. Default false: `https:` only. */
  readonly allowHttp?: boolean;
}

/** An address, read once: where to connect, and what to ask for there. */
export interface Target {
  /** Scheme, host and port, e.g. `https://example.com:8443`. */
  readonly origin: string;
  /** Path and query, as they go on the wire. */
  readonly path: string;
}

/** Begins to connect; the callback hears how that ended, once. The socket is the caller's to destroy. */
export type Connect = (target: buildConnector.Options, callback: buildConnector.Callback) => Socket;

export interface Guard {
  /** Reads an address. Throws `url_invalid`, `url_scheme` or `url_credentials`; never quotes the address. */
  check(url: string): Target;
  /** Opens every connection: DNS, TCP and TLS within the connect timeout. */
  readonly connect: Connect;
}

export interface GuardOptions {
  readonly policy: OutboundPolicy;
  readonly connectTimeoutMs: number;
  readonly ca: readonly string[];
}

const maxUrlLength = 2048;
const tooLong = `must have at most ${maxUrlLength} characters`;

const howToAllowHttp =
  'allow plain HTTP with policy.allowHttp: httpChannel({ outbound: { policy: { allowHttp: true } } })';

/** The WHATWG parser drops tabs and line breaks and turns `\` into `/`: whoever reads the text sees another address. */
const misread = /[\p{Cc}\p{Cs}\s\\]/u;

const authority = /^[a-z]+:\/\/([^/?#]+)/i;

const invalid = (message: string): PosthornError => refusal('url_invalid', message);

function refusal(code: 'url_invalid' | 'url_scheme' | 'url_credentials', message: string): PosthornError {
  return new PosthornError(code, `url ${message}`, { issues: [{ path: [], message }] });
}

export function createGuard({ policy, connectTimeoutMs, ca }: GuardOptions): Guard {
  const allowHttp = policy.allowHttp === true;

  function check(url: string): Target {
    if (typeof url !== 'string') throw invalid('must be a string');
    if (url.length > maxUrlLength) throw invalid(tooLong);
    if (misread.test(url)) throw invalid('must not hold spaces, backslashes or control characters');
    if (!URL.canParse(url)) throw invalid('must be a full URL, like https://example.com/hook');
    const parsed = new URL(url);
    // Counted as it goes on the wire, where a letter like é has six characters.
    if (parsed.href.length > maxUrlLength) throw invalid(tooLong);
    if (parsed.protocol !== 'https:' && !(allowHttp && parsed.protocol === 'http:')) {
      const https = allowHttp ? 'must begin with https:// or http://' : 'must begin with https://';
      throw refusal('url_scheme', parsed.protocol === 'http:' ? `${https}; ${howToAllowHttp}` : https);
    }
    // The parser also takes `https:host` and `https:////host`; people read those otherwise.
    const [, host] = authority.exec(url) ?? [];
    if (host === undefined) throw invalid('must name a host after //');
    // Looked for in the text: an empty user name leaves no trace in the parsed URL.
    if (host.includes('@')) throw refusal('url_credentials', 'must not hold a user name or password');
    return { origin: parsed.origin, path: parsed.pathname + parsed.search };
  }

  const begin = buildConnector({
    // Its timer is half a second coarse; ours, below, is not.
    timeout: 0,
    // A receiver that answers by HTTP/2 only is refused by ALPN; HTTP/1.1 is what the caps are made for.
    allowH2: false,
    // A resumed TLS session skips the check of the host name, and measured, resuming gains nothing here.
    maxCachedSessions: 0,
    ...(ca.length > 0 ? { ca: [...rootCertificates, ...ca] } : {}),
  });

  function connect(target: buildConnector.Options, callback: buildConnector.Callback): Socket {
    // It returns the socket; its type says otherwise, for connectors that have none yet.
    const socket = begin(target, (...connected) => {
      clearTimeout(timer);
      callback(...connected);
    }) as unknown as Socket;
    const timer = setTimeout(() => socket.destroy(new errors.ConnectTimeoutError()), connectTimeoutMs);
    // One that is destroyed without an error does not call back.
    socket.once('close', () => clearTimeout(timer));
    return socket;
  }

  return { check, connect };
}

import { isIP, type LookupFunction, Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { PosthornError } from '@posthorn/core';
import { buildConnector, errors } from 'undici';
import { bytesOf, dialledBytesOf, whyNotPublic } from './addresses.js';
import { isBadPort, whyNoPublicName } from './hosts.js';
import { isOwnAddress } from './own-addresses.js';
import type { Policy } from './policy.js';
import { connectToProxy } from './proxy.js';
import { LookupError, resolveByDns, resolveByLookup } from './resolve.js';
import { hostOf, parseUrl, refusedUrl } from './url.js';

/*
 * The one place that says where bytes may go. Every address is read by `check`, every connection is made by
 * `connect`; nothing else in this package opens a socket. Judged is twice: the address, as soon as it is known, and
 * what its name leads to, at the moment of the connection, which goes to what was judged and nowhere else.
 */

/** An address, read once: where to connect, and what to ask for there. */
export interface Target {
  /** Scheme, host and port, e.g. `https://example.com:8443`. */
  readonly origin: string;
  /** Path and query, as they go on the wire. */
  readonly path: string;
}

/** Begins to connect; the callback hears how that ended, once. The socket is the caller's to destroy. */
export type Connect = (
  target: buildConnector.Options,
  callback: buildConnector.Callback,
  trust?: SecureContext,
) => Socket;

export interface Guard {
  /**
   * Reads an address and judges its scheme, host and port. Throws `url_invalid`, `url_scheme`, `url_credentials`,
   * `url_port` or `address_forbidden`; never quotes the address.
   */
  check(url: string): Target;
  /**
   * The addresses that a connection would go to now; none where a proxy looks names up. Rejects as `check` throws, and
   * with `url_unresolvable` where the name has no address or none is found within the connect timeout.
   */
  resolve(url: string): Promise<readonly string[]>;
  /** Opens every connection: name, TCP, proxy and TLS within the connect timeout. */
  readonly connect: Connect;
}

export interface GuardOptions {
  readonly policy: Policy;
  readonly connectTimeoutMs: number;
  /** Whom to trust, and as whom to speak, where a connection does not bring its own. */
  readonly trust: SecureContext;
}

const howToAllow = 'the host application allows others with policy.allowHosts or policy.allowCidrs';

const forbidden = (message: string): PosthornError => refusedUrl('address_forbidden', message);

export function createGuard({ policy, connectTimeoutMs, trust }: GuardOptions): Guard {
  const resolveAny = policy.lookup ? resolveByLookup(policy.lookup) : resolveByDns();
  const resolveTrusted = resolveByLookup(policy.lookup);

  /** A host that may be looked up or dialled, as far as its text can tell. */
  function checkHost(host: string): void {
    if (policy.deniesHost(host)) throw forbidden('must not name a host that policy.denyHosts names');
    if (isIP(host) !== 0) checkDenied(host);
    if (policy.allowsHost(host)) return;
    if (isIP(host) !== 0) checkAddress(host);
    else {
      const why = whyNoPublicName(host);
      if (why) throw forbidden(`${why}; ${howToAllow}`);
    }
  }

  function checkPort(port: number): void {
    if (!policy.ports) {
      if (isBadPort(port))
        throw refusedUrl('url_port', 'must not use a port that browsers refuse, one of another service');
    } else if (!policy.ports.has(port)) {
      throw refusedUrl('url_port', `must use one of the ports ${[...policy.ports].join(', ')}`);
    }
  }

  /** What is denied is so to hosts that are allowed, too. */
  function checkDenied(address: string): void {
    if ([bytesOf(address), dialledBytesOf(address)].some((bytes) => bytes && policy.deniesAddress(bytes))) {
      throw forbidden('must not lead to an address that policy.denyHosts or policy.denyCidrs names');
    }
  }

  function checkAddress(address: string): void {
    checkDenied(address);
    const bytes = bytesOf(address);
    if (bytes && policy.allowsAddress(bytes)) return;
    const why = whyNotPublic(address) ?? (isOwnAddress(address) ? 'an address of this machine' : undefined);
    if (why) throw forbidden(`must lead to a public address, not to ${why}; ${howToAllow}`);
  }

  /** Of a name that has been checked. An answer that is bad in part is refused whole. */
  async function addressesOf(host: string): Promise<readonly string[]> {
    const isAllowed = policy.allowsHost(host);
    const addresses = await (isAllowed ? resolveTrusted(host) : resolveAny(host));
    addresses.forEach(isAllowed ? checkDenied : checkAddress);
    // Where hosts may be anywhere, they have to be somewhere.
    if (addresses.some((address) => isIP(address) === 0)) throw new LookupError({ code: 'EBADRESP' });
    return addresses;
  }

  const lookup: LookupFunction = (host, { all }, callback) => {
    addressesOf(host).then(
      (addresses) => {
        const answer = addresses.map((address) => ({ address, family: isIP(address) }));
        if (all) callback(null, answer);
        else callback(null, answer[0]!.address, answer[0]!.family);
      },
      (error) => callback(error, []),
    );
  };

  function check(url: string): Target {
    const parsed = parseUrl(url, policy);
    const { port, origin, pathname, search } = parsed;
    checkPort(port === '' ? defaultPort(parsed.protocol) : Number(port));
    checkHost(hostOf(parsed));
    return { origin, path: pathname + search };
  }

  async function resolve(url: string): Promise<readonly string[]> {
    check(url);
    const host = hostOf(new URL(url));
    if (isIP(host) !== 0) return [host];
    if (policy.proxy) return [];
    let timer: NodeJS.Timeout | undefined;
    try {
      return await Promise.race([
        addressesOf(host),
        new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(new Error('no answer in time')), connectTimeoutMs);
        }),
      ]);
    } catch (error) {
      if (error instanceof PosthornError) throw error;
      throw new PosthornError('url_unresolvable', 'url must have a host name that leads to an address', {
        cause: error,
        issues: [{ path: [], message: 'must have a host name that leads to an address' }],
      });
    } finally {
      clearTimeout(timer);
    }
  }

  const connectors = new WeakMap<SecureContext, buildConnector.connector>();

  function connectorOf(secureContext: SecureContext): buildConnector.connector {
    const known = connectors.get(secureContext);
    if (known) return known;
    const connector = buildConnector({
      // Its timer is half a second coarse; ours, below, is not.
      timeout: 0,
      // A receiver that answers by HTTP/2 only is refused by ALPN; HTTP/1.1 is what the caps are made for.
      allowH2: false,
      // A resumed TLS session skips the check of the host name, and measured, resuming gains nothing here.
      maxCachedSessions: 0,
      // Else NODE_TLS_REJECT_UNAUTHORIZED=0, set for the sake of some other service, would trust everybody here.
      rejectUnauthorized: true,
      secureContext,
      lookup,
      // Its own, so that a polluted Object.prototype leads to no socket of this machine.
      socketPath: null,
    });
    connectors.set(secureContext, connector);
    return connector;
  }

  function connect(
    target: buildConnector.Options,
    callback: buildConnector.Callback,
    own: SecureContext = trust,
  ): Socket {
    const refusal = refusalOf(target.hostname);
    if (refusal) return refused(refusal, callback);
    const begin = connectorOf(own);
    const done: buildConnector.Callback = (...connected) => {
      clearTimeout(timer);
      callback(...connected);
    };
    // It returns the socket; its type says otherwise, for connectors that have none yet.
    const socket = policy.proxy
      ? connectToProxy({ ...policy.proxy, secureContext: trust }, target, begin, done)
      : (begin(target, verified(target.hostname, done)) as unknown as Socket);
    const timer = setTimeout(() => socket.destroy(new errors.ConnectTimeoutError()), connectTimeoutMs);
    // One that is destroyed without an error does not call back.
    socket.once('close', () => clearTimeout(timer));
    return socket;
  }

  /** A literal address never reaches `lookup`; and no one is to rely on `check` having been called before. */
  function refusalOf(hostname: string): PosthornError | undefined {
    try {
      checkHost(hostname.replace(/^\[|\]$/g, ''));
      return undefined;
    } catch (error) {
      return error as PosthornError;
    }
  }

  /** Belt and braces: where the socket has really gone. */
  function verified(host: string, callback: buildConnector.Callback): buildConnector.Callback {
    return (...connected) => {
      const [, socket] = connected;
      if (socket) {
        const check = policy.allowsHost(host) ? checkDenied : checkAddress;
        try {
          check(socket.remoteAddress ?? '');
        } catch (error) {
          socket.destroy();
          callback(error as PosthornError, null);
          return;
        }
      }
      callback(...connected);
    };
  }

  return { check, resolve, connect };
}

const defaultPort = (protocol: string): number => (protocol === 'https:' ? 443 : 80);

function refused(refusal: PosthornError, callback: buildConnector.Callback): Socket {
  const socket = new Socket();
  socket.on('error', () => {});
  socket.destroy(refusal);
  queueMicrotask(() => callback(refusal, null));
  return socket;
}

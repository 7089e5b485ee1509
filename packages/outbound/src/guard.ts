import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import { PosthornError } from '@posthorn/core';
import { bytesOf, dialledBytesOf, whyNotPublic } from './addresses.js';
import { type Connect, createConnect } from './connect.js';
import { whyNoPublicName } from './hosts.js';
import type { OnLate } from './name-servers.js';
import { isOwnAddress } from './own-addresses.js';
import type { Policy } from './policy.js';
import { whyNoWebPort } from './ports.js';
import { LookupError, type Names, resolveByLookup, systemNames } from './resolve.js';
import { hostOf, originOf, parseUrl, portOf, refusedUrl } from './url.js';

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

export interface Guard {
  /**
   * Reads an address and judges its scheme, host and port. Throws `url_invalid`, `url_scheme`, `url_credentials`,
   * `url_port` or `address_forbidden`; never quotes the address.
   */
  check(url: string): Target;
  /**
   * The addresses that a connection would go to now; none where a proxy looks names up. Rejects as `check` throws, and
   * with `url_unresolvable` where the name has no address or none is found within the connect timeout. It waits for both
   * families, as a connection does not: it is asked what all of them are.
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
  /** Where names lead, unless the policy looks them up. Default: as this machine has them. */
  readonly names?: Names;
}

const howToAllow = 'the host application allows others with policy.allowHosts or policy.allowCidrs';

const howToAllowPorts = 'the host application names the ones it allows with policy.ports';

const forbidden = (message: string): PosthornError => refusedUrl('address_forbidden', message);

export function createGuard(options: GuardOptions): Guard {
  const { policy, connectTimeoutMs, names = systemNames } = options;
  const { resolve: resolveAny, resolveTrusted } = policy.lookup ? resolversBy(policy.lookup) : names;

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

  function checkPort(port: number, host: string): void {
    if (policy.ports) {
      if (policy.ports.has(port)) return;
      throw refusedUrl('url_port', `must use one of the ports ${[...policy.ports].join(', ')}`);
    }
    const service = whyNoWebPort(port, policy.allowsHost(host));
    if (service) throw refusedUrl('url_port', `must not use a port of ${service}; ${howToAllowPorts}`);
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

  /** Of a host that has been checked. An answer that is bad in part is refused whole; what comes late is judged, too. */
  async function addressesOf(host: string, onLate?: OnLate): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    const isAllowed = policy.allowsHost(host);
    function judged(addresses: readonly string[]): readonly string[] {
      addresses.forEach(isAllowed ? checkDenied : checkAddress);
      // Where hosts may be anywhere, they have to be somewhere.
      if (addresses.some((address) => isIP(address) === 0)) throw new LookupError({ code: 'EBADRESP' });
      return addresses;
    }
    const resolveHost = isAllowed ? resolveTrusted : resolveAny;
    return judged(
      await resolveHost(host.replace(/\.$/, ''), onLate && ((late) => onLate(late.then(judged)))),
    );
  }

  function check(url: string): Target {
    const parsed = parseUrl(url, policy);
    const { pathname, search } = parsed;
    checkPort(portOf(parsed), hostOf(parsed));
    checkHost(hostOf(parsed));
    return { origin: originOf(parsed), path: pathname + search };
  }

  async function resolve(url: string): Promise<readonly string[]> {
    check(url);
    const host = hostOf(new URL(url));
    if (policy.proxy && isIP(host) === 0) return [];
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

  /** Of a socket, where it has really gone: belt and braces. */
  function checkConnected(host: string, address = ''): void {
    if (policy.allowsHost(host)) checkDenied(address);
    else checkAddress(address);
  }

  const connect = createConnect({
    ...options,
    checkHost,
    addressesOf,
    checkConnected,
    resolveProxy: names.resolveTrusted,
  });

  return { check, resolve, connect };
}

function resolversBy(lookup: NonNullable<Policy['lookup']>): Names {
  const resolve = resolveByLookup(lookup);
  return { resolve, resolveTrusted: resolve };
}

import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import { PosthornError } from '@posthorn/core';
import { withDeadline } from '@posthorn/core/channel';
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
 * The one place that decides where requests may go. `check` parses every URL and `connect` opens every connection;
 * nothing else in this package opens a socket. Each URL is checked twice: when it is parsed, and when the socket
 * connects. The second check covers what the host name resolves to. The connection goes to the checked addresses only.
 */

/** A parsed URL: where to connect, and what to request there. */
export interface Target {
  /** Scheme, host and port, e.g. `https://example.com:8443`. */
  readonly origin: string;
  /** Path and query, as sent. */
  readonly path: string;
}

export interface Guard {
  /**
   * Parses a URL and checks its scheme, host and port. Throws `url_invalid`, `url_scheme`, `url_credentials`,
   * `url_port` or `address_forbidden`; the message never quotes the URL.
   */
  check(url: string): Target;
  /**
   * Resolves to the addresses that a connection would go to now, or to none if a proxy resolves names. Rejects as
   * `check` throws, and with `url_unresolvable` if the name has no address or none is found within the connect timeout.
   * Unlike a connection, it waits for both address families.
   */
  resolve(url: string): Promise<readonly string[]>;
  /** Opens a connection. DNS, TCP, proxy and TLS share one connect timeout. */
  readonly connect: Connect;
}

export interface GuardOptions {
  readonly policy: Policy;
  readonly connectTimeoutMs: number;
  /** Trusted authorities and client certificate of connections that do not bring their own. */
  readonly trust: SecureContext;
  /** Resolves names, unless the policy has a `lookup`. Default: the name servers and files of this machine. */
  readonly names?: Names;
}

const howToAllow = 'the host application allows others with policy.allowHosts or policy.allowCidrs';

const howToAllowPorts = 'the host application allows others with policy.ports';

const forbidden = (message: string): PosthornError => refusedUrl('address_forbidden', message);

export function createGuard(options: GuardOptions): Guard {
  const { policy, connectTimeoutMs, names = systemNames } = options;
  const { resolve: resolveAny, resolveTrusted } = policy.lookup ? resolversBy(policy.lookup) : names;

  /** Throws for a host whose text alone shows that it must not be resolved or dialled. */
  function checkHost(host: string): void {
    if (policy.deniesHost(host)) throw forbidden('must not name a host that policy.denyHosts lists');
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

  /** Throws for a denied address. Denials apply to allowed hosts too. */
  function checkDenied(address: string): void {
    if ([bytesOf(address), dialledBytesOf(address)].some((bytes) => bytes && policy.deniesAddress(bytes))) {
      throw forbidden('must not lead to an address that policy.denyHosts or policy.denyCidrs lists');
    }
  }

  function checkAddress(address: string): void {
    checkDenied(address);
    const bytes = bytesOf(address);
    if (bytes && policy.allowsAddress(bytes)) return;
    const why = whyNotPublic(address) ?? (isOwnAddress(address) ? 'an address of this machine' : undefined);
    if (why) throw forbidden(`must lead to a public address, not to ${why}; ${howToAllow}`);
  }

  /** Resolves a checked host. One forbidden address refuses the whole answer. Late addresses are checked too. */
  async function addressesOf(host: string, onLate?: OnLate): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    const isAllowed = policy.allowsHost(host);
    function checked(addresses: readonly string[]): readonly string[] {
      addresses.forEach(isAllowed ? checkDenied : checkAddress);
      // An allowed host may have any address, but it must be one.
      if (addresses.some((address) => isIP(address) === 0)) throw new LookupError({ code: 'EBADRESP' });
      return addresses;
    }
    const resolveHost = isAllowed ? resolveTrusted : resolveAny;
    return checked(
      await resolveHost(host.replace(/\.$/, ''), onLate && ((late) => onLate(late.then(checked)))),
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
    try {
      return await withDeadline(addressesOf(host), connectTimeoutMs, () => {
        throw new Error('no answer in time');
      });
    } catch (error) {
      if (error instanceof PosthornError) throw error;
      throw new PosthornError('url_unresolvable', 'url must have a host name that leads to an address', {
        cause: error,
        issues: [{ path: [], message: 'must have a host name that leads to an address' }],
      });
    }
  }

  /** Checks the address that a socket actually reached, as a second line of defence. */
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

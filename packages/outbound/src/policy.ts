import type { LookupFunction } from 'node:net';
import { kindOf, PosthornError } from '@posthorn/core';
import { blockOf } from './addresses.js';
import { hostPattern } from './hosts.js';
import { ownOptions } from './own-options.js';
import { hostOf } from './url.js';

/** What the host application allows; tenants have no say in it. */
export interface OutboundPolicy {
  /** Whether plain `http:` is allowed too. Default false: `https:` only. */
  readonly allowHttp?: boolean;
  /**
   * Hosts that may be anything and anywhere but where the policy denies it: neither their names nor their addresses are
   * judged else, and any port but those that browsers refuse is theirs. Names or addresses, exact, or `*.` and a suffix for
   * all names below it. They are looked for in the hosts file and the search domains of this machine, too. Default: none.
   */
  readonly allowHosts?: readonly string[];
  /**
   * Hosts that are always refused, and names that lead to such an address, whatever is allowed; written alike. The
   * application's own public names, say, against loops. Default: none.
   */
  readonly denyHosts?: readonly string[];
  /** Addresses and ranges that are reached though they are not public, e.g. `127.0.0.0/8`. Default: none. */
  readonly allowCidrs?: readonly string[];
  /** Addresses and ranges that are refused though they are public, and though their host is allowed. Default: none. */
  readonly denyCidrs?: readonly string[];
  /** The only ports. Default: all but those of the Fetch standard's list of bad ports, and of databases and the like. */
  readonly ports?: readonly number[];
  /**
   * A forward proxy, `http:` or `https:`, with its user name and password if it wants any. Every connection goes
   * through it, by CONNECT. Addresses and names are judged here as ever; what a name resolves to is for the proxy to
   * judge, which must refuse private networks itself. Proxies of the environment are never used. Default: none.
   */
  readonly proxy?: string;
  /**
   * Looks names up, in the manner of `dns.lookup`, all but the proxy's. Its answers are judged. Default: asks DNS, without
   * a thread of the few that the process has.
   */
  readonly lookup?: LookupFunction;
}

/** A policy, checked and read. */
export interface Policy {
  readonly allowHttp: boolean;
  allowsHost(host: string): boolean;
  deniesHost(host: string): boolean;
  allowsAddress(bytes: Buffer): boolean;
  deniesAddress(bytes: Buffer): boolean;
  readonly ports: ReadonlySet<number> | undefined;
  readonly proxy: ProxyAddress | undefined;
  readonly lookup: LookupFunction | undefined;
}

/** A forward proxy, read. */
export interface ProxyAddress {
  readonly isTls: boolean;
  /** Without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
  /** The header that lets one in, where it wants any. */
  readonly authorization: string | undefined;
}

const names = [
  ...(['allowHttp', 'allowHosts', 'denyHosts', 'allowCidrs', 'denyCidrs'] as const),
  ...(['ports', 'proxy', 'lookup'] as const),
];

/** Throws `invalid_option`, naming the field; never quotes the proxy. */
export function policyOf(policy: OutboundPolicy): Policy {
  const given = ownOptions(policy, names, 'policy');
  const { allowHttp = false, ports, proxy, lookup } = given;
  if (typeof allowHttp !== 'boolean') throw invalid('.allowHttp must be true or false');
  if (lookup !== undefined && typeof lookup !== 'function') {
    throw invalid(`.lookup must be a function, not ${kindOf(lookup)}`);
  }
  const allowing = hostsOf('allowHosts', given.allowHosts);
  const denying = hostsOf('denyHosts', given.denyHosts);
  const allowed = blocksOf('allowCidrs', given.allowCidrs);
  const denied = [...blocksOf('denyCidrs', given.denyCidrs), ...addressesIn(given.denyHosts)];
  return {
    allowHttp,
    allowsHost: (host) => allowing.some((matches) => matches(host)),
    deniesHost: (host) => denying.some((matches) => matches(host)),
    allowsAddress: (bytes) => allowed.some((block) => block.holds(bytes)),
    deniesAddress: (bytes) => denied.some((block) => block.holds(bytes)),
    ports: ports && new Set(readAll('ports', ports, portOf, 'whole numbers from 1 to 65535')),
    proxy: proxy === undefined ? undefined : proxyOf(proxy),
    lookup,
  };
}

const hostsOf = (field: string, hosts: unknown = []) =>
  readAll(
    field,
    hosts,
    hostPattern,
    'names like api.example.com, addresses, or *.example.com for all names below',
  );

/** Those of the hosts that are addresses; however one is written, it is the same. */
const addressesIn = (hosts: readonly string[] = []) =>
  hosts.flatMap((host) => blockOf(host.replace(/^\[(.*)\]$/, '$1')) ?? []);

const blocksOf = (field: string, cidrs: unknown = []) =>
  readAll(field, cidrs, blockOf, 'addresses and ranges like 10.1.0.0/16, with no bit set behind the prefix');

function readAll<T>(
  field: string,
  values: unknown,
  read: (value: unknown) => T | undefined,
  what: string,
): T[] {
  if (!Array.isArray(values)) throw invalid(`.${field} must be an array, not ${kindOf(values)}`);
  return values.map((value) => {
    const right = read(value);
    if (right === undefined) throw invalid(`.${field} must hold ${what}`);
    return right;
  });
}

function portOf(port: unknown): number | undefined {
  return Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535 ? Number(port) : undefined;
}

function proxyOf(proxy: unknown): ProxyAddress {
  const url = typeof proxy === 'string' && URL.canParse(proxy) ? new URL(proxy) : undefined;
  const bare = url && url.pathname === '/' && url.search === '' && url.hash === '' && url.hostname !== '';
  if (!bare || !['http:', 'https:'].includes(url.protocol)) {
    throw invalid('.proxy must be a URL like http://proxy.example:3128, with neither path nor query');
  }
  const isTls = url.protocol === 'https:';
  const port = Number(url.port) || (isTls ? 443 : 80);
  return { isTls, host: hostOf(url), port, authorization: authorizationOf(url) };
}

/** RFC 7617. */
function authorizationOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(credentials).toString('base64')}`;
  } catch {
    throw invalid('.proxy must have a user name and a password in which % begins an escape, as in %25');
  }
}

function invalid(message: string): PosthornError {
  return new PosthornError('invalid_option', `policy${message}`);
}

import type { LookupFunction } from 'node:net';
import { PosthornError } from '@posthorn/core';
import { describeType, parseOptions } from '@posthorn/core/channel';
import { blockOf } from './addresses.js';
import { hostPattern } from './hosts.js';
import { hostOf } from './url.js';

/** Where requests may go. Set by the application; tenants cannot change it. */
export interface OutboundPolicy {
  /** Whether plain `http:` is allowed too. Default false: `https:` only. */
  readonly allowHttp?: boolean;
  /**
   * Trusted hosts: exact names or addresses, or `*.` and a suffix for all names below it. Default: none.
   * - Their names and addresses are checked against `denyHosts` and `denyCidrs` only.
   * - They may use any port except those that browsers refuse.
   * - Their names are also resolved by the hosts file and the search domains of this machine.
   */
  readonly allowHosts?: readonly string[];
  /**
   * Hosts that are always refused, even if allowed; same patterns as `allowHosts`. For an address, names that resolve
   * to it are refused too. Use it for the application's own public names, to prevent loops. Default: none.
   */
  readonly denyHosts?: readonly string[];
  /** Addresses and ranges that are allowed although they are not public, e.g. `127.0.0.0/8`. Default: none. */
  readonly allowCidrs?: readonly string[];
  /** Addresses and ranges that are refused although they are public, even for a host in `allowHosts`. Default: none. */
  readonly denyCidrs?: readonly string[];
  /**
   * The only allowed ports. Default: all except the Fetch standard's bad ports and the ports of databases and similar
   * services.
   */
  readonly ports?: readonly number[];
  /**
   * URL of a forward proxy, `http:` or `https:`, with a user name and password if it requires them. Every connection
   * goes through it, by CONNECT. Literal addresses and names are still checked here, but the proxy resolves the names:
   * it must refuse private networks itself. Proxies of the environment are never used. Default: none.
   */
  readonly proxy?: string;
  /**
   * Resolves all names except the proxy's; same signature as `dns.lookup`. Its answers are checked. Default: queries
   * DNS directly, without a thread of the process's small pool.
   */
  readonly lookup?: LookupFunction;
}

/** A validated and parsed policy. */
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

/** A parsed proxy URL. */
export interface ProxyAddress {
  readonly isTls: boolean;
  /** The host, without IPv6 brackets. */
  readonly host: string;
  readonly port: number;
  /** The `Proxy-Authorization` header, if the proxy requires one. */
  readonly authorization: string | undefined;
}

const names = [
  ...(['allowHttp', 'allowHosts', 'denyHosts', 'allowCidrs', 'denyCidrs'] as const),
  ...(['ports', 'proxy', 'lookup'] as const),
];

/** Validates a policy. Throws `invalid_option`, naming the field; the message never quotes the proxy. */
export function policyOf(policy: OutboundPolicy): Policy {
  const given = parseOptions(policy, names, 'policy');
  const { allowHttp = false, ports, proxy, lookup } = given;
  if (typeof allowHttp !== 'boolean') throw invalid('.allowHttp must be true or false');
  if (lookup !== undefined && typeof lookup !== 'function') {
    throw invalid(`.lookup must be a function, not ${describeType(lookup)}`);
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

/** Returns the hosts that are addresses, as blocks: a block matches every spelling of an address. */
const addressesIn = (hosts: readonly string[] = []) =>
  hosts.flatMap((host) => blockOf(host.replace(/^\[(.*)\]$/, '$1')) ?? []);

const blocksOf = (field: string, cidrs: unknown = []) =>
  readAll(field, cidrs, blockOf, 'addresses and ranges like 10.1.0.0/16, with no bit set after the prefix');

function readAll<T>(
  field: string,
  values: unknown,
  read: (value: unknown) => T | undefined,
  what: string,
): T[] {
  if (!Array.isArray(values)) throw invalid(`.${field} must be an array, not ${describeType(values)}`);
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
    throw invalid('.proxy must be a URL like http://proxy.example:3128, without a path or a query');
  }
  const isTls = url.protocol === 'https:';
  const port = Number(url.port) || (isTls ? 443 : 80);
  return { isTls, host: hostOf(url), port, authorization: authorizationOf(url) };
}

/** Builds the Basic credentials (RFC 7617). */
function authorizationOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(credentials).toString('base64')}`;
  } catch {
    throw invalid('.proxy must have a percent-encoded user name and password: write %25 for %');
  }
}

function invalid(message: string): PosthornError {
  return new PosthornError('invalid_option', `policy${message}`);
}

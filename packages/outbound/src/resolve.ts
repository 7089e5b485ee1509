import type { LookupAddress, promises } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { hostsFile, readHosts } from './hosts-file.js';
import { isMissing, isRefused, NameServers, type OnLate } from './name-servers.js';
import { candidatesOf, readResolvConf, resolvConfFile } from './resolv-conf.js';
import { systemFile } from './system-file.js';

/**
 * Resolves a name to all its addresses, at least one. Rejects with a {@link LookupError}. With `onLate`, it may resolve
 * to one family alone; it then calls `onLate` first, with a promise of the others.
 */
export type Resolve = (hostname: string, onLate?: OnLate) => Promise<readonly string[]>;

/** Resolvers of names, by who chose the name. */
export interface Names {
  /** Resolves a name that a tenant chose. */
  readonly resolve: Resolve;
  /** Resolves a name that the application allows or configured. */
  readonly resolveTrusted: Resolve;
}

/** A failed look-up. */
export class LookupError extends Error {
  override readonly name = 'LookupError';
  /** Error code of Node's DNS module or of the system. */
  readonly code: string | undefined;

  constructor(cause: unknown) {
    super('the name could not be looked up', { cause });
    const { code } = Object(cause) as { code?: unknown };
    this.code = typeof code === 'string' && /^E[A-Z_]{2,30}$/.test(code) ? code : undefined;
  }
}

export interface NameSources {
  readonly hosts?: string;
  readonly resolvConf?: string;
  readonly makeResolver?: () => promises.Resolver;
}

/**
 * Creates resolvers from this machine's configuration. Names that tenants chose are resolved by DNS alone, because
 * /etc/hosts and search domains contain names of the private network. Trusted names may come from either.
 */
export function createNames(sources: NameSources = {}): Names {
  const confOf = systemFile(sources.resolvConf ?? resolvConfFile, readResolvConf);
  const hostsOf = systemFile(sources.hosts ?? hostsFile, readHosts);
  const servers = new NameServers(confOf, sources.makeResolver);

  async function resolveTrusted(host: string, onLate?: OnLate): Promise<readonly string[]> {
    const own = hostsOf().get(host) ?? loopbackOf(host);
    if (own) return own;
    let failure: unknown;
    for (const candidate of candidatesOf(host, confOf())) {
      try {
        return await servers.ask(candidate, onLate);
      } catch (error) {
        // A name server that times out would do so for the next name too. One that refuses may just not serve this
        // domain.
        if (!isMissing(error) && !isRefused(error)) throw error;
        if (!isRefused(failure)) failure = error;
      }
    }
    throw failure;
  }

  return {
    resolve: resolveBy((host, onLate) => servers.ask(host, onLate)),
    resolveTrusted: resolveBy(resolveTrusted),
  };
}

/** The resolvers shared by all clients of the process. */
export const systemNames: Names = createNames();

/** Resolves localhost and names below it without a query (RFC 6761 §6.3). */
function loopbackOf(host: string): readonly string[] | undefined {
  return /(^|\.)localhost$/.test(host) ? ['127.0.0.1', '::1'] : undefined;
}

/** Wraps a function with the signature of `dns.lookup`. It may answer with all addresses or with one. */
export function resolveByLookup(ask: LookupFunction): Resolve {
  return resolveBy(
    (hostname) =>
      new Promise((resolve, reject) => {
        const asked: unknown = ask(hostname, { all: true }, (error, answer: string | LookupAddress[]) => {
          if (error) reject(error);
          else resolve(typeof answer === 'string' ? [answer] : addressesIn(answer));
        });
        // If the application's lookup is async and rejects, the rejection must not end the process.
        Promise.resolve(asked).catch(reject);
      }),
  );
}

/** Reads the addresses of any answer. An entry without one becomes an empty string. */
function addressesIn(answer: unknown): readonly string[] {
  const entries: readonly unknown[] = Array.isArray(answer) ? answer : [];
  return entries.map((entry) => {
    const { address } = Object(entry) as { address?: unknown };
    return typeof address === 'string' ? address : '';
  });
}

function resolveBy(ask: Resolve): Resolve {
  return async (hostname, onLate) => {
    let addresses: readonly string[];
    try {
      addresses = await ask(hostname, onLate);
    } catch (error) {
      throw new LookupError(error);
    }
    if (addresses.length === 0) throw new LookupError({ code: 'ENOTFOUND' });
    return addresses;
  };
}

import type { LookupAddress, promises } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { hostsFile, readHosts } from './hosts-file.js';
import { isMissing, isRefused, NameServers, type OnLate } from './name-servers.js';
import { candidatesOf, readResolvConf, resolvConfFile } from './resolv-conf.js';
import { systemFile } from './system-file.js';

/**
 * All addresses of a name, one at least; rejects with a {@link LookupError}. With `onLate`, called before it resolves, no
 * more than is there in time.
 */
export type Resolve = (hostname: string, onLate?: OnLate) => Promise<readonly string[]>;

/** Where names lead, by who chose them. */
export interface Names {
  /** A name of a stranger. */
  readonly resolve: Resolve;
  /** A name that the application allows or has given. */
  readonly resolveTrusted: Resolve;
}

/** A look-up that failed, in whatever way. */
export class LookupError extends Error {
  override readonly name = 'LookupError';
  /** Of Node's DNS, or of the system. */
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
 * The names of this machine. Those of strangers are asked of DNS alone: /etc/hosts and search domains hold names of
 * this network. Trusted ones may be in either, as for the system.
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
        // A name server that does not answer would not for the next one either. One that refuses may not serve this domain.
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

/** For all clients of the process. */
export const systemNames: Names = createNames();

/** RFC 6761 §6.3: no name server is asked for these. */
function loopbackOf(host: string): readonly string[] | undefined {
  return /(^|\.)localhost$/.test(host) ? ['127.0.0.1', '::1'] : undefined;
}

/** Asks a function in the manner of `dns.lookup`, whether it answers with all addresses or with one. */
export function resolveByLookup(ask: LookupFunction): Resolve {
  return resolveBy(
    (hostname) =>
      new Promise((resolve, reject) => {
        const asked: unknown = ask(hostname, { all: true }, (error, answer: string | LookupAddress[]) => {
          if (error) reject(error);
          else resolve(typeof answer === 'string' ? [answer] : addressesIn(answer));
        });
        // It is the application's own code: an async one that fails must end no process.
        Promise.resolve(asked).catch(reject);
      }),
  );
}

/** The texts that stand where addresses should, whatever was answered. */
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

import { type LookupAddress, lookup, promises } from 'node:dns';
import type { LookupFunction } from 'node:net';

/*
 * Where names lead. The names of strangers are asked of DNS itself: /etc/hosts, mDNS and search domains hold names of
 * this network, and `dns.lookup` has four threads for the whole process, which one slow name server could fill.
 */

/** With both tries, a dead name server answers within the connect timeout. */
const patience = { timeout: 1_000, tries: 2 };

/** All addresses of a name, one at least; rejects with a {@link LookupError}. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

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

/** Asks DNS for both families. One that fails does not matter where the other has an answer. */
export function resolveByDns(resolver = new promises.Resolver(patience)): Resolve {
  return resolveBy(async (hostname) => {
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason;
    return [v4, v6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  });
}

/** Asks a function in the manner of `dns.lookup`, whether it answers with all addresses or with one. */
export function resolveByLookup(ask: LookupFunction = lookup): Resolve {
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

function resolveBy(ask: (hostname: string) => Promise<readonly string[]>): Resolve {
  return async (hostname) => {
    let addresses: readonly string[];
    try {
      addresses = await ask(hostname);
    } catch (error) {
      throw new LookupError(error);
    }
    if (addresses.length === 0) throw new LookupError({ code: 'ENOTFOUND' });
    return addresses;
  };
}

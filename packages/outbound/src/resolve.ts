import { type LookupAddress, lookup, promises } from 'node:dns';
import type { LookupFunction } from 'node:net';

/*
 * Where names lead. The names of strangers are asked of DNS itself: /etc/hosts, mDNS and search domains hold names of
 * this network, and `dns.lookup` has four threads for the whole process, which one slow name server could fill.
 */

/** With both tries, a dead name server answers within the connect timeout. */
const patience = { timeout: 1_000, tries: 2 };

/** All addresses of a name; rejects with an error of Node's DNS. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** Asks DNS for both families. One that fails does not matter where the other has an answer. */
export function resolveByDns(resolver = new promises.Resolver(patience)): Resolve {
  return async (hostname) => {
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason;
    return [v4, v6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  };
}

/** Asks a function in the manner of `dns.lookup`, whether it answers with all addresses or with one. */
export function resolveByLookup(ask: LookupFunction = lookup): Resolve {
  return (hostname) =>
    new Promise((resolve, reject) => {
      ask(hostname, { all: true }, (error, answer: string | LookupAddress[]) => {
        if (error) reject(error);
        else if (typeof answer === 'string') resolve([answer]);
        // It is the application's own code: what it answers instead must end no process.
        else resolve(Array.isArray(answer) ? answer.map((entry) => String(entry?.address)) : []);
      });
    });
}

import { promises } from 'node:dns';
import type { ResolvConf } from './resolv-conf.js';

/** With both tries, a dead name server answers within the connect timeout. */
const patience = { timeout: 1_000, tries: 2 };

/** So long the answer for one family waits for that of the other: RFC 8305 §8. */
const resolutionDelayMs = 50;

/** Resolvers that fail are made anew no more often. */
const renewAfterMs = 1_000;

/** A name server has answered: there is no such name, or it has no address of that family. Anything else is a failure. */
const answers: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA']);

export const isMissing = (error: unknown): boolean => answers.has(Object(error).code);

/** A name server has answered that it cannot say, of this name or of its whole domain. */
const refusals: ReadonlySet<unknown> = new Set(['ESERVFAIL', 'EREFUSED', 'ENOTIMP']);

export const isRefused = (error: unknown): boolean => refusals.has(Object(error).code);

/** Hears of the addresses of a family that was not waited for: none, where it turns out to have none. Never rejects. */
export type OnLate = (late: Promise<readonly string[]>) => void;

/**
 * The name servers of this machine, asked without threads: `dns.lookup` has four for the whole process, which one dead
 * name server fills. A resolver of Node knows those of the moment it was made; this one makes another when the file that
 * names them has changed, or a look-up has failed.
 */
export class NameServers {
  #resolver: promises.Resolver | undefined;
  #conf: ResolvConf | undefined;
  #madeAt = 0;
  #hasFailed = false;

  constructor(
    /** The same object as long as nothing has changed. */
    readonly confOf: () => ResolvConf,
    readonly makeResolver = () => new promises.Resolver(patience),
  ) {}

  /**
   * The addresses of both families. A family that fails does not matter where the other has an answer. With `onLate`, nor
   * does one that is slow: some name servers never answer for one of them (RFC 8305 §3).
   */
  async ask(name: string, onLate?: OnLate): Promise<readonly string[]> {
    const resolver = this.#current();
    const families = [resolver.resolve4(name), resolver.resolve6(name)];
    const whole = Promise.allSettled(families).then((both) => this.#addressesIn(both, resolver));
    const early = onLate && (await earlyOf(families));
    if (!early) return whole;
    onLate(whole.then((addresses) => addresses.filter((address) => !early.includes(address))));
    return early;
  }

  #addressesIn(
    both: readonly PromiseSettledResult<readonly string[]>[],
    resolver: promises.Resolver,
  ): readonly string[] {
    const errors = both.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
    const failure = errors.find((error) => !isMissing(error));
    if (failure !== undefined && resolver === this.#resolver) this.#hasFailed = true;
    if (errors.length === both.length) throw failure ?? errors[0];
    return both.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  }

  #current(): promises.Resolver {
    const conf = this.confOf();
    const now = performance.now();
    const isStale = this.#hasFailed && now - this.#madeAt >= renewAfterMs;
    if (this.#resolver && conf === this.#conf && !isStale) return this.#resolver;
    this.#resolver = this.makeResolver();
    this.#conf = conf;
    this.#madeAt = now;
    this.#hasFailed = false;
    return this.#resolver;
  }
}

/** The addresses of the family that has some, where the other keeps it waiting; undefined where both have ended by then. */
function earlyOf(families: readonly Promise<readonly string[]>[]): Promise<readonly string[] | undefined> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    for (const family of families) {
      family.then(
        (addresses) => {
          if (addresses.length > 0) timer ??= setTimeout(resolve, resolutionDelayMs, addresses);
        },
        () => {},
      );
    }
    void Promise.allSettled(families).then(() => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

import { promises } from 'node:dns';
import type { ResolvConf } from './resolv-conf.js';

/** Timeout and tries of a query. Together they fail on a dead name server within the connect timeout. */
const queryLimits = { timeout: 1_000, tries: 2 };

/** How long the answer for one address family waits for the other (RFC 8305 §8). */
const resolutionDelayMs = 50;

/** Minimum time between two replacements of a failing resolver. */
const renewAfterMs = 1_000;

/** Codes that are answers: the name does not exist, or has no address of that family. Any other code is a failure. */
const answers: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA']);

export const isMissing = (error: unknown): boolean => answers.has(Object(error).code);

/** Codes by which a name server says that it cannot answer for this name or its domain. */
const refusals: ReadonlySet<unknown> = new Set(['ESERVFAIL', 'EREFUSED', 'ENOTIMP']);

export const isRefused = (error: unknown): boolean => refusals.has(Object(error).code);

/**
 * Receives the addresses of a family that the look-up did not wait for. `late` is an empty list if the family has none,
 * and never rejects.
 */
export type OnLate = (late: Promise<readonly string[]>) => void;

/**
 * Queries the name servers of this machine without threads. (`dns.lookup` uses the four threads of the process; one
 * dead name server blocks them all.) A resolver of Node keeps the name servers of the moment it was created. This class
 * creates a new one when the file that lists them has changed, or after a look-up has failed.
 */
export class NameServers {
  #resolver: promises.Resolver | undefined;
  #conf: ResolvConf | undefined;
  #madeAt = 0;
  #hasFailed = false;

  constructor(
    /** Returns the same object until the file changes. */
    readonly confOf: () => ResolvConf,
    readonly makeResolver = () => new promises.Resolver(queryLimits),
  ) {}

  /**
   * Resolves to the addresses of both families. One family may fail if the other has an answer. With `onLate`, a slow
   * family is not waited for either: some name servers never answer for one of them (RFC 8305 §3).
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

/**
 * Resolves to the addresses of the first family to have some, if the other takes longer than the resolution delay.
 * Resolves to undefined if both have settled by then.
 */
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

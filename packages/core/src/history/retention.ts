import type { PosthornError } from '../errors.js';
import type { LifecycleEmitter } from '../lifecycle.js';
import type { DeliveryLog } from '../storage/log-port.js';

/** The most events in one statement: small enough not to delay other statements. */
const batch = 1_000;
/** Rounds per retention time, within the bounds below: nothing is kept for much longer than configured. */
const looksPerRetention = 10;
const minEveryMs = 1_000;
const maxEveryMs = 3_600_000;

/** What {@link Retention} needs of the engine. */
export interface RetentionOptions {
  readonly log: Pick<DeliveryLog, 'prune'>;
  /** Deletes the replays that ended at least `olderThanMs` ago. */
  readonly pruneReplays: (olderThanMs: number) => Promise<void>;
  readonly lifecycle: LifecycleEmitter;
}

/** Deletes old finished events and replays: on start, and then ten times in each retention time. */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #olderThanMs: number;
  readonly #everyMs: number;
  #isStarted = false;
  #timer: NodeJS.Timeout | undefined;
  #isPruning = false;

  constructor(options: RetentionOptions, olderThanMs: number) {
    this.#options = options;
    this.#olderThanMs = olderThanMs;
    this.#everyMs = Math.min(Math.max(olderThanMs / looksPerRetention, minEveryMs), maxEveryMs);
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#look();
  }

  stop(): void {
    this.#isStarted = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Deletes everything that is old enough now, in batches. Resolves to the number of deleted events. */
  async prune(): Promise<number> {
    return this.#pruneWhile(() => true);
  }

  /** Starts a round, unless the previous one is still running. */
  #look(): void {
    this.#timer = setTimeout(() => this.#look(), this.#everyMs).unref();
    if (this.#isPruning) return;
    this.#isPruning = true;
    this.#pruneWhile(() => this.#isStarted)
      .catch((error: PosthornError) => this.#options.lifecycle.emit('error', () => error))
      .finally(() => {
        this.#isPruning = false;
      });
  }

  async #pruneWhile(goesOn: () => boolean): Promise<number> {
    const { log, pruneReplays } = this.#options;
    const olderThanMs = this.#olderThanMs;
    let sum = 0;
    let count = batch;
    while (count === batch && goesOn()) {
      count = await log.prune({ olderThanMs, limit: batch });
      sum += count;
    }
    if (goesOn()) await pruneReplays(olderThanMs);
    return sum;
  }
}

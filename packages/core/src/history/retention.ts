import type { PosthornError } from '../errors.js';
import type { Announcer } from '../lifecycle.js';
import type { DeliveryLog } from '../storage/log-port.js';

/** Small enough that nobody waits for it. */
const batch = 1_000;
/** It looks ten times in what is kept, so that nothing is kept much longer; within these bounds. */
const looksPerRetention = 10;
const minEveryMs = 1_000;
const maxEveryMs = 3_600_000;

export interface RetentionOptions {
  readonly log: Pick<DeliveryLog, 'prune'>;
  /** Forgets replays that ended so long ago. */
  readonly pruneReplays: (olderThanMs: number) => Promise<void>;
  readonly announcer: Announcer;
}

/** Forgets finished events and replays when they are old enough: at once, and then as often as their age asks for. */
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

  /** Forgets all that is old enough now, batch after batch. Resolves to how many events. */
  async prune(): Promise<number> {
    return this.#pruneWhile(() => true);
  }

  /** One round waits for the one before: however slow it is, there is one at a time. */
  #look(): void {
    this.#timer = setTimeout(() => this.#look(), this.#everyMs).unref();
    if (this.#isPruning) return;
    this.#isPruning = true;
    this.#pruneWhile(() => this.#isStarted)
      .catch((error: PosthornError) => this.#options.announcer.announce('error', () => error))
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

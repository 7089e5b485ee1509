import type { PosthornError } from './errors.js';
import type { Announcer } from './lifecycle.js';
import type { DeliveryLog } from './log-port.js';

const everyMs = 3_600_000;
/** Small enough that nobody waits for it. */
const batch = 1_000;

/** Forgets finished events when they are old enough: at once, and then every hour. */
export class Retention {
  readonly #log: Pick<DeliveryLog, 'prune'>;
  readonly #olderThanMs: number;
  readonly #announcer: Announcer;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Pick<DeliveryLog, 'prune'>, olderThanMs: number, announcer: Announcer) {
    this.#log = log;
    this.#olderThanMs = olderThanMs;
    this.#announcer = announcer;
  }

  start(): void {
    if (this.#timer) return;
    this.#timer = setInterval(() => void this.#prune(), everyMs).unref();
    void this.#prune();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #prune(): Promise<void> {
    try {
      let count = batch;
      while (this.#timer && count === batch) {
        count = await this.#log.prune({ olderThanMs: this.#olderThanMs, limit: batch });
      }
    } catch (error) {
      this.#announcer.announce('error', () => error as PosthornError);
    }
  }
}

/** A webhook's pace is what it got through in so long. */
const windowMs = 1_000;

/** How many deliveries of each webhook have landed lately: about as many will in as long a time to come. */
export class Pace {
  readonly #now: () => number;
  /** Of the last whole window, and of the one that runs. */
  #last: ReadonlyMap<string, number> = new Map();
  #present = new Map<string, number>();
  #since: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** One more of this webhook has landed. */
  count(webhookId: string): void {
    this.#turn();
    this.#present.set(webhookId, (this.#present.get(webhookId) ?? 0) + 1);
  }

  of(webhookId: string): number {
    this.#turn();
    return Math.max(this.#last.get(webhookId) ?? 0, this.#present.get(webhookId) ?? 0);
  }

  /** The webhooks that have any. */
  webhooks(): Iterable<string> {
    this.#turn();
    return new Set([...this.#last.keys(), ...this.#present.keys()]);
  }

  #turn(): void {
    const now = this.#now();
    const passed = now - this.#since;
    if (passed < windowMs) return;
    this.#last = passed < 2 * windowMs ? this.#present : new Map();
    this.#present = new Map();
    this.#since = now;
  }
}

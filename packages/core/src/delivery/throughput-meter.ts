/** The window in which deliveries are counted. */
const windowMs = 1_000;

/** Measures how many deliveries per second were sent lately, by key, such as a webhook id. */
export class ThroughputMeter {
  readonly #now: () => number;
  /** The counts of the last whole window, and of the present one. */
  #last: ReadonlyMap<string, number> = new Map();
  #present = new Map<string, number>();
  #lastTotal = 0;
  #presentTotal = 0;
  #since: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** Counts one delivery. `now` saves reading the clock where the caller has. */
  count(key: string, now: number = this.#now()): void {
    this.#turn(now);
    this.#present.set(key, (this.#present.get(key) ?? 0) + 1);
    this.#presentTotal++;
  }

  /** Deliveries per second of all keys together. */
  get totalPerSecond(): number {
    this.#turn();
    return Math.max(this.#lastTotal, this.#presentTotal);
  }

  perSecond(key: string): number {
    this.#turn();
    return Math.max(this.#last.get(key) ?? 0, this.#present.get(key) ?? 0);
  }

  /** The keys with any deliveries. */
  keys(): Iterable<string> {
    this.#turn();
    return new Set([...this.#last.keys(), ...this.#present.keys()]);
  }

  #turn(now: number = this.#now()): void {
    const passed = now - this.#since;
    if (passed < windowMs) return;
    const isRecent = passed < 2 * windowMs;
    this.#last = isRecent ? this.#present : new Map();
    this.#lastTotal = isRecent ? this.#presentTotal : 0;
    this.#present = new Map();
    this.#presentTotal = 0;
    this.#since = now;
  }
}

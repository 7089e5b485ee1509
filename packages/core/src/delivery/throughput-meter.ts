/** What was got through in so long is the pace. */
const windowMs = 1_000;

/** How many deliveries of each key, a webhook for one, have been sent lately: about as many will be in as long a time to come. */
export class ThroughputMeter {
  readonly #now: () => number;
  /** Of the last whole window, and of the one that runs. */
  #last: ReadonlyMap<string, number> = new Map();
  #present = new Map<string, number>();
  #lastTotal = 0;
  #presentTotal = 0;
  #since: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** One more of this key was sent. `now` is the time, where that is known. */
  count(key: string, now: number = this.#now()): void {
    this.#turn(now);
    this.#present.set(key, (this.#present.get(key) ?? 0) + 1);
    this.#presentTotal++;
  }

  /** Of all keys together. */
  get totalPerSecond(): number {
    this.#turn();
    return Math.max(this.#lastTotal, this.#presentTotal);
  }

  perSecond(key: string): number {
    this.#turn();
    return Math.max(this.#last.get(key) ?? 0, this.#present.get(key) ?? 0);
  }

  /** Those that have any. */
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

/** Caches up to `maxSize` values for `maxAgeMs`. The oldest are evicted first. */
export class TtlCache<Value> {
  /** In the order of their insertion. */
  readonly #entries = new Map<string, { readonly value: Value; readonly since: number }>();
  readonly #maxAgeMs: number;
  readonly #maxSize: number;
  readonly #now: () => number;

  constructor(maxAgeMs: number, maxSize: number, now: () => number) {
    this.#maxAgeMs = maxAgeMs;
    this.#maxSize = maxSize;
    this.#now = now;
  }

  get(name: string): Value | undefined {
    const entry = this.#entries.get(name);
    return entry && !this.#isOver(entry.since) ? entry.value : undefined;
  }

  set(name: string, value: Value): void {
    this.#entries.delete(name);
    for (const [oldest, { since }] of this.#entries) {
      if (this.#entries.size < this.#maxSize && !this.#isOver(since)) break;
      this.#entries.delete(oldest);
    }
    this.#entries.set(name, { value, since: this.#now() });
  }

  delete(name: string): void {
    this.#entries.delete(name);
  }

  /** Whether an entry is expired. An entry from the future, after the clock was set back, counts as expired. */
  #isOver(since: number): boolean {
    const ageMs = this.#now() - since;
    return ageMs < 0 || ageMs >= this.#maxAgeMs;
  }
}

import type { DeliveryEntry } from './entries.js';

/** Since when deliveries are put off: few are, so that is no field of each. */
export class PutOffs {
  readonly #since = new WeakMap<DeliveryEntry, number>();

  /** It is put off now, if it was not before. */
  begin(entry: DeliveryEntry, at: number): void {
    if (!this.#since.has(entry)) this.#since.set(entry, at);
  }

  /** Null where it is not. */
  of(entry: DeliveryEntry): number | null {
    return this.#since.get(entry) ?? null;
  }

  /** It was due for so long, and nobody claimed it: for that time nobody has put it off. */
  leaveOut(entry: DeliveryEntry, ms: number): void {
    const since = this.#since.get(entry);
    if (since !== undefined && ms > 0) this.#since.set(entry, since + ms);
  }

  end(entry: DeliveryEntry): void {
    this.#since.delete(entry);
  }
}

import type { DeliveryEntry } from './entries.js';

/** The times since when deliveries are deferred. Few are, so the time is not a field of each delivery. */
export class Deferrals {
  readonly #since = new WeakMap<DeliveryEntry, number>();

  /** Marks it as deferred now, unless it was before. */
  begin(entry: DeliveryEntry, at: number): void {
    if (!this.#since.has(entry)) this.#since.set(entry, at);
  }

  /** Returns null where it is not deferred. */
  of(entry: DeliveryEntry): number | null {
    return this.#since.get(entry) ?? null;
  }

  /** Moves the time by `ms` for which it was due and not claimed: for that time it was not deferred. */
  leaveOut(entry: DeliveryEntry, ms: number): void {
    const since = this.#since.get(entry);
    if (since !== undefined && ms > 0) this.#since.set(entry, since + ms);
  }

  end(entry: DeliveryEntry): void {
    this.#since.delete(entry);
  }
}

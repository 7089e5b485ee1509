import type { DeliveryEntry } from './entries.js';

/** Deliveries by the time `at` at which they need attention: a binary heap in which each entry knows its slot. */
export class Alarms {
  readonly #heap: DeliveryEntry[] = [];

  /** Moves the entry to its time, wherever it was before. */
  set(entry: DeliveryEntry, at: number): void {
    entry.at = at;
    if (entry.slot < 0) {
      entry.slot = this.#heap.push(entry) - 1;
    }
    this.#down(this.#up(entry));
  }

  remove(entry: DeliveryEntry): void {
    const { slot } = entry;
    if (slot < 0) return;
    entry.slot = -1;
    const last = this.#heap.pop()!;
    if (last === entry) return;
    this.#place(last, slot);
    this.#down(this.#up(last));
  }

  /** Removes and returns the first entry whose time is `now` or earlier. */
  takeDue(now: number): DeliveryEntry | undefined {
    const first = this.#heap[0];
    if (!first || first.at > now) return undefined;
    this.remove(first);
    return first;
  }

  #place(entry: DeliveryEntry, slot: number): void {
    this.#heap[slot] = entry;
    entry.slot = slot;
  }

  #up(entry: DeliveryEntry): DeliveryEntry {
    let { slot } = entry;
    while (slot > 0) {
      const parentSlot = (slot - 1) >> 1;
      const parent = this.#heap[parentSlot]!;
      if (parent.at <= entry.at) break;
      this.#place(parent, slot);
      slot = parentSlot;
    }
    this.#place(entry, slot);
    return entry;
  }

  #down(entry: DeliveryEntry): void {
    let { slot } = entry;
    for (;;) {
      const left = this.#heap[2 * slot + 1];
      const right = this.#heap[2 * slot + 2];
      const child = right && right.at < left!.at ? right : left;
      if (!child || child.at >= entry.at) break;
      const childSlot = child.slot;
      this.#place(child, slot);
      slot = childSlot;
    }
    this.#place(entry, slot);
  }
}

import type { DeliveryEntry, WebhookEntry } from './entries.js';

/**
 * Deliveries that are due, one lane for each webhook, and the order in which the lanes take turns. A lane stands in
 * line while its webhook is active and it holds something.
 */
export class Lanes {
  /** In a Set a lane that was served can go to the end, and a loop over it goes on there. */
  readonly #line = new Set<WebhookEntry>();

  push(entry: DeliveryEntry): void {
    if (entry.inLane) return;
    const lane = entry.webhook;
    entry.inLane = true;
    if (lane.tail) lane.tail.nextInLane = entry;
    else lane.head = entry;
    lane.tail = entry;
    this.refresh(lane);
  }

  /** Call it when a webhook is paused or becomes active. */
  refresh(lane: WebhookEntry): void {
    if (lane.record.isActive && lane.head) this.#line.add(lane);
    else this.#line.delete(lane);
  }

  /** Takes the first of one lane after the other, at most `limit` in all, and of each lane what `room` allows it. */
  take(limit: number, room: (lane: WebhookEntry) => number, now: number): DeliveryEntry[] {
    const taken: DeliveryEntry[] = [];
    const left = new Map<WebhookEntry, number>();
    for (const lane of this.#line) {
      if (taken.length === limit) break;
      const free = left.get(lane) ?? room(lane);
      // A lane without room keeps its place in line.
      if (free <= 0) continue;
      const entry = this.#shift(lane, now);
      if (entry) {
        taken.push(entry);
        left.set(lane, free - 1);
      }
      this.#line.delete(lane);
      this.refresh(lane);
    }
    return taken;
  }

  /** The lane's first delivery that is due still: what ended or was put off meanwhile is dropped here. */
  #shift(lane: WebhookEntry, now: number): DeliveryEntry | undefined {
    for (let entry = lane.head; entry; entry = lane.head) {
      lane.head = entry.nextInLane;
      if (!lane.head) lane.tail = undefined;
      entry.nextInLane = undefined;
      entry.inLane = false;
      if (!entry.isFinished && entry.at <= now) return entry;
    }
    return undefined;
  }
}

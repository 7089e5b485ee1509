import type { DeliveryEntry, WebhookEntry } from './entries.js';

/**
 * Deliveries that are due, one lane for each webhook, and the order in which the lanes take turns. A lane stands in
 * line while its webhook is active and it holds something.
 */
export class Lanes {
  /** In a Set a lane that was served can go to the end, and a loop over it goes on there. */
  readonly #line = new Set<WebhookEntry>();

  push(entry: DeliveryEntry): void {
    const lane = entry.webhook;
    entry.previousInLane = lane.tail;
    if (lane.tail) lane.tail.nextInLane = entry;
    else lane.head = entry;
    lane.tail = entry;
    this.refresh(lane);
  }

  /** Takes the entry out of its lane, if it is there: it ended or was put off, or goes to its end. */
  remove(entry: DeliveryEntry): void {
    const lane = entry.webhook;
    const { previousInLane: previous, nextInLane: next } = entry;
    if (!previous && lane.head !== entry) return;
    if (previous) previous.nextInLane = next;
    else lane.head = next;
    if (next) next.previousInLane = previous;
    else lane.tail = previous;
    entry.previousInLane = undefined;
    entry.nextInLane = undefined;
    if (!lane.head) this.refresh(lane);
  }

  /** Call it when a webhook is paused or becomes active. */
  refresh(lane: WebhookEntry): void {
    if (lane.record.isActive && lane.head) this.#line.add(lane);
    else this.#line.delete(lane);
  }

  /** Takes the first of one lane after the other, at most `limit` in all, and of each lane what `room` allows it. */
  take(limit: number, room: (lane: WebhookEntry) => number): DeliveryEntry[] {
    const taken: DeliveryEntry[] = [];
    const left = new Map<WebhookEntry, number>();
    for (const lane of this.#line) {
      if (taken.length === limit) break;
      const free = left.get(lane) ?? room(lane);
      // A lane without room keeps its place in line.
      if (free <= 0) continue;
      const entry = lane.head!;
      this.remove(entry);
      taken.push(entry);
      left.set(lane, free - 1);
      this.#line.delete(lane);
      this.refresh(lane);
    }
    return taken;
  }
}

import type { DeliveryEntry, WebhookEntry } from './entries.js';

/** How much may be taken besides. */
export interface Room {
  of(lane: WebhookEntry): number;
  ofTenant(tenantId: string): number;
}

/**
 * Deliveries that are due, one lane for each webhook, and the order in which they take turns: the tenants, and the lanes
 * of each. A lane stands in its tenant's line while its webhook is active and it holds something.
 */
export class Lanes {
  /** In a Map or a Set what was served can go to the end, and a loop over it goes on there. */
  readonly #tenants = new Map<string, Set<WebhookEntry>>();

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
    if (!entry.previousInLane && lane.head !== entry) return;
    this.#unlink(entry);
    if (!lane.head) this.refresh(lane);
  }

  #unlink(entry: DeliveryEntry): void {
    const lane = entry.webhook;
    const { previousInLane: previous, nextInLane: next } = entry;
    if (previous) previous.nextInLane = next;
    else lane.head = next;
    if (next) next.previousInLane = previous;
    else lane.tail = previous;
    entry.previousInLane = undefined;
    entry.nextInLane = undefined;
  }

  /** Call it when a webhook is paused or becomes active. */
  refresh(lane: WebhookEntry): void {
    const { tenantId, isActive } = lane.record;
    const line = this.#tenants.get(tenantId);
    if (isActive && lane.head) {
      if (line) line.add(lane);
      else this.#tenants.set(tenantId, new Set([lane]));
    } else if (line?.delete(lane) && line.size === 0) this.#tenants.delete(tenantId);
  }

  /**
   * Takes the first of one lane after the other, of one tenant after the other, at most `limit` in all, and of each
   * lane and each tenant what `room` allows them.
   */
  take(limit: number, room: Room): DeliveryEntry[] {
    const taken: DeliveryEntry[] = [];
    const left = new Map<WebhookEntry, number>();
    const leftOfTenant = new Map<string, number>();
    const walks = new Map<string, Iterator<WebhookEntry>>();

    /** The tenant's next lane that has room; those without keep their places, and are passed once. */
    function nextLane(tenantId: string, line: Set<WebhookEntry>): WebhookEntry | undefined {
      const walk = walks.get(tenantId) ?? line.values();
      walks.set(tenantId, walk);
      for (let step = walk.next(); !step.done; step = walk.next()) {
        const free = left.get(step.value) ?? room.of(step.value);
        if (free <= 0) continue;
        left.set(step.value, free - 1);
        return step.value;
      }
      return undefined;
    }

    for (const [tenantId, line] of this.#tenants) {
      if (taken.length === limit) break;
      const ofTenant = leftOfTenant.get(tenantId) ?? room.ofTenant(tenantId);
      if (ofTenant <= 0) continue;
      const lane = nextLane(tenantId, line);
      if (!lane) continue;
      leftOfTenant.set(tenantId, ofTenant - 1);
      this.#tenants.delete(tenantId);
      line.delete(lane);
      if (line.size > 0) this.#tenants.set(tenantId, line);
      taken.push(this.#shift(lane));
      if (!lane.head) continue;
      line.add(lane);
      this.#tenants.set(tenantId, line);
    }
    return taken;
  }

  #shift(lane: WebhookEntry): DeliveryEntry {
    const entry = lane.head!;
    this.#unlink(entry);
    return entry;
  }
}

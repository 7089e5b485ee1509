import type { DeliveryEntry, WebhookEntry } from './entries.js';

/** Additional limits on what may be taken. */
export interface Room {
  of(lane: WebhookEntry): number;
  ofTenant(tenantId: string): number;
}

/**
 * Due deliveries, in one lane for each webhook, and the order in which tenants and their lanes take turns. A lane is in
 * its tenant's line while its webhook is active and the lane is not empty.
 */
export class Lanes {
  /** In a Map or a Set, an entry that was served can move to the end, where a running loop reaches it again. */
  readonly #tenants = new Map<string, Set<WebhookEntry>>();

  push(entry: DeliveryEntry): void {
    const lane = entry.webhook;
    entry.previousInLane = lane.tail;
    if (lane.tail) lane.tail.nextInLane = entry;
    else lane.head = entry;
    lane.tail = entry;
    this.refresh(lane);
  }

  /** Removes the entry from its lane, if it is there. */
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

  /** Must be called when a webhook is paused or activated. */
  refresh(lane: WebhookEntry): void {
    const { tenantId, isActive } = lane.record;
    const line = this.#tenants.get(tenantId);
    if (isActive && lane.head) {
      if (line) line.add(lane);
      else this.#tenants.set(tenantId, new Set([lane]));
    } else if (line?.delete(lane) && line.size === 0) this.#tenants.delete(tenantId);
  }

  /**
   * Takes the first delivery of one lane after the other, of one tenant after the other: at most `limit` in total, and
   * of each lane and each tenant as many as `room` allows.
   */
  take(limit: number, room: Room): DeliveryEntry[] {
    const taken: DeliveryEntry[] = [];
    const left = new Map<WebhookEntry, number>();
    const leftOfTenant = new Map<string, number>();
    const walks = new Map<string, Iterator<WebhookEntry>>();

    /** Returns the tenant's next lane with room. Lanes without room keep their places, and are passed once. */
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

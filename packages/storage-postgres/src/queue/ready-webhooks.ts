/** The due deliveries of one webhook, in the order in which they became due. */
export interface ReadyWebhook {
  readonly tenantId: string;
  readonly webhookId: string;
}

/** How many deliveries of a lane are wanted. */
export interface Share {
  readonly lane: ReadyWebhook;
  readonly count: number;
}

/** Additional limits on what may be taken. */
export interface Room {
  of(lane: ReadyWebhook): number;
  ofTenant(tenantId: string): number;
}

/**
 * The lanes that this process knows not to be empty, and whose turn it is: tenants take turns, and so do the lanes of
 * each tenant. It only keeps what was seen in the database. A lane that turns out to be empty is dropped.
 */
export class ReadyWebhooks {
  /** In a Map, an entry that was served can move to the end. */
  readonly #tenants = new Map<string, Map<string, ReadyWebhook>>();

  get isEmpty(): boolean {
    return this.#tenants.size === 0;
  }

  /** Adds the lane to the end of its tenant's line, unless it is there already. */
  add(lane: ReadyWebhook): void {
    const lanes = this.#tenants.get(lane.tenantId) ?? new Map<string, ReadyWebhook>();
    this.#tenants.set(lane.tenantId, lanes);
    if (!lanes.has(lane.webhookId)) lanes.set(lane.webhookId, lane);
  }

  remove({ tenantId, webhookId }: ReadyWebhook): void {
    const lanes = this.#tenants.get(tenantId);
    lanes?.delete(webhookId);
    if (lanes?.size === 0) this.#tenants.delete(tenantId);
  }

  /**
   * Divides `limit` among the lanes, one for each in turn, within the limits of `room` for each lane and each tenant.
   * Lanes that get something move to the end of their lines.
   */
  share(limit: number, room: Room): Share[] {
    const counts = new Map<ReadyWebhook, number>();
    const ofTenants = new Map<string, number>();
    let left = limit;
    // A tenant without a lane that has room is skipped in this round.
    const open = new Set(this.#tenants.keys());
    while (left > 0 && open.size > 0) {
      for (const tenantId of open) {
        if (left === 0) break;
        const ofTenant = ofTenants.get(tenantId) ?? 0;
        const lane = ofTenant < room.ofTenant(tenantId) ? this.#nextOf(tenantId, counts, room) : undefined;
        if (!lane) {
          open.delete(tenantId);
          continue;
        }
        counts.set(lane, (counts.get(lane) ?? 0) + 1);
        ofTenants.set(tenantId, ofTenant + 1);
        left--;
      }
    }
    return [...counts].map(([lane, count]) => ({ lane, count }));
  }

  /**
   * Returns up to `most` further lanes with room, besides those that have a share, for one delivery each: the first
   * ones in their lines, which keep their places.
   */
  spares(shares: readonly Share[], most: number, room: Room): Share[] {
    const shared = new Set(shares.map(({ lane }) => lane));
    const counts = new Map<string, number>();
    for (const { lane, count } of shares) {
      counts.set(lane.tenantId, (counts.get(lane.tenantId) ?? 0) + count);
    }
    const spares: Share[] = [];
    for (const [tenantId, lanes] of this.#tenants) {
      let left = room.ofTenant(tenantId) - (counts.get(tenantId) ?? 0);
      for (const lane of lanes.values()) {
        if (spares.length === most) return spares;
        if (left <= 0) break;
        if (shared.has(lane) || room.of(lane) <= 0) continue;
        spares.push({ lane, count: 1 });
        left--;
      }
    }
    return spares;
  }

  #nextOf(tenantId: string, counts: ReadonlyMap<ReadyWebhook, number>, room: Room): ReadyWebhook | undefined {
    const lanes = this.#tenants.get(tenantId)!;
    for (const lane of lanes.values()) {
      if ((counts.get(lane) ?? 0) >= room.of(lane)) continue;
      lanes.delete(lane.webhookId);
      lanes.set(lane.webhookId, lane);
      this.#tenants.delete(tenantId);
      this.#tenants.set(tenantId, lanes);
      return lane;
    }
    return undefined;
  }
}

import { Fifo } from './fifo.js';
import type { Claim } from './ports.js';

/** A claim that this process holds. */
export interface HeldClaim {
  readonly claim: Claim;
  /** Until when its lease holds at least, in monotonic time. */
  heldUntil: number;
  /** How far the process's clock was from monotonic time just before it was claimed. */
  readonly gapMs: number;
}

/** What is held for one tenant, and how much of that is being sent. */
export interface Tenant {
  readonly id: string;
  claimed: number;
  sending: number;
  /** Whether it had no room left when something was added last. */
  isFull: boolean;
}

/** The same for one webhook, and what of it waits here. */
export interface Lane extends Tenant {
  readonly tenant: Tenant;
  readonly waiting: Fifo<HeldClaim>;
}

/** How much is held, by webhook and by tenant: of those for whom anything is. */
export class ClaimCounts {
  readonly #lanes = new Map<string, Lane>();
  readonly #tenants = new Map<string, Tenant>();

  of(webhookId: string): Lane | undefined {
    return this.#lanes.get(webhookId);
  }

  /** One more is held for this webhook. */
  add({ id, tenantId }: Claim['webhook']): Lane {
    const lane = this.#lanes.get(id) ?? this.#begin(id, tenantId);
    lane.claimed++;
    lane.tenant.claimed++;
    return lane;
  }

  /** One less is. */
  remove(lane: Lane): void {
    lane.claimed--;
    lane.tenant.claimed--;
    if (lane.claimed === 0) this.#lanes.delete(lane.id);
    if (lane.tenant.claimed === 0) this.#tenants.delete(lane.tenant.id);
  }

  byWebhook(): Map<string, number> {
    return countsOf(this.#lanes);
  }

  byTenant(): Map<string, number> {
    return countsOf(this.#tenants);
  }

  #begin(id: string, tenantId: string): Lane {
    const nothing = { claimed: 0, sending: 0, isFull: false };
    const tenant = this.#tenants.get(tenantId) ?? { id: tenantId, ...nothing };
    const lane = { id, ...nothing, tenant, waiting: new Fifo<HeldClaim>() };
    this.#tenants.set(tenantId, tenant);
    this.#lanes.set(id, lane);
    return lane;
  }
}

function countsOf(all: ReadonlyMap<string, Tenant>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { id, claimed } of all.values()) counts.set(id, claimed);
  return counts;
}

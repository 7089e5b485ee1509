import type { Claim } from '../storage/ports.js';
import { Fifo } from './fifo.js';

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
  /** Of the last that was added: a webhook may be deleted, and made again for another tenant, while something is held. */
  tenant: Tenant;
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
    if (lane.tenant.id !== tenantId) this.#move(lane, tenantId);
    lane.claimed++;
    lane.tenant.claimed++;
    return lane;
  }

  /** One less is. */
  remove(lane: Lane): void {
    lane.claimed--;
    lane.tenant.claimed--;
    if (lane.claimed === 0) this.#lanes.delete(lane.id);
    this.#endIfNone(lane.tenant);
  }

  byWebhook(): Map<string, number> {
    return countsOf(this.#lanes);
  }

  byTenant(): Map<string, number> {
    return countsOf(this.#tenants);
  }

  #begin(id: string, tenantId: string): Lane {
    const lane = { id, ...nothing, tenant: this.#tenantOf(tenantId), waiting: new Fifo<HeldClaim>() };
    this.#lanes.set(id, lane);
    return lane;
  }

  /** With all that is held for it: a webhook that is never idle would else be counted for its former tenant for ever. */
  #move(lane: Lane, tenantId: string): void {
    const { tenant: former, claimed, sending } = lane;
    former.claimed -= claimed;
    former.sending -= sending;
    this.#endIfNone(former);
    lane.tenant = this.#tenantOf(tenantId);
    lane.tenant.claimed += claimed;
    lane.tenant.sending += sending;
  }

  #tenantOf(id: string): Tenant {
    const tenant = this.#tenants.get(id) ?? { id, ...nothing };
    this.#tenants.set(id, tenant);
    return tenant;
  }

  #endIfNone({ id, claimed }: Tenant): void {
    if (claimed === 0) this.#tenants.delete(id);
  }
}

const nothing = { claimed: 0, sending: 0, isFull: false };

function countsOf(all: ReadonlyMap<string, Tenant>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { id, claimed } of all.values()) counts.set(id, claimed);
  return counts;
}

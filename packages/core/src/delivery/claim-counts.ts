import type { Claim } from '../storage/ports.js';
import { Fifo } from './fifo.js';

/** A claim that this process holds, until its result is written. */
export interface HeldClaim {
  readonly claim: Claim;
  /** The earliest end of its lease, in monotonic time. */
  heldUntil: number;
  /** The gap between the process's clock and monotonic time, just before the claim. */
  readonly gapMs: number;
}

/** The claims held for one tenant, and how many of them are being sent. */
export interface Tenant {
  readonly id: string;
  claimed: number;
  sending: number;
  /** Whether the last addition used up its capacity. */
  isFull: boolean;
}

/** The same for one webhook, with the claims that wait to be sent. */
export interface Lane extends Tenant {
  /** The tenant of the last claim added. A webhook may be deleted and created for another tenant while claims are held. */
  tenant: Tenant;
  readonly waiting: Fifo<HeldClaim>;
}

/** Counts the held claims by webhook and by tenant. Those without any are left out. */
export class ClaimCounts {
  readonly #lanes = new Map<string, Lane>();
  readonly #tenants = new Map<string, Tenant>();

  of(webhookId: string): Lane | undefined {
    return this.#lanes.get(webhookId);
  }

  /** Counts one more claim of this webhook. */
  add({ id, tenantId }: Claim['webhook']): Lane {
    const lane = this.#lanes.get(id) ?? this.#begin(id, tenantId);
    if (lane.tenant.id !== tenantId) this.#move(lane, tenantId);
    lane.claimed++;
    lane.tenant.claimed++;
    return lane;
  }

  /** Counts one less. */
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

  /** Moves the counts to the new tenant. A webhook that is never idle would otherwise count for the old one without end. */
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

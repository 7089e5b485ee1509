import { defaultTenant } from '../models/models.js';
import type { ClaimOptions } from '../storage/ports.js';
import { ClaimCounts, type HeldClaim, type Lane, type Tenant } from './claim-counts.js';
import { ThroughputMeter } from './throughput-meter.js';

export interface ClaimBufferOptions {
  /** How many deliveries may be sent at a time. */
  readonly concurrency: number;
  /** How many of them to one webhook. */
  readonly webhookConcurrency: number;
  /** How many of them to the webhooks of one tenant. */
  readonly tenantConcurrency: number;
  /** As `tenantConcurrency`, of the tenant of an application that names none. */
  readonly defaultTenantConcurrency: number;
  /** What is sent within that time may begin when it is claimed, though it waits here. */
  readonly soonMs: number;
}

/** How much may be claimed. */
export type Capacity = Omit<Required<ClaimOptions>, 'leaseMs'>;

/** Twice as much may be claimed as may be sent: what comes next lies here already when a slot becomes free. */
const ahead = 2;
/** Below this part of it more is claimed, so that a claim is worth its while. */
const low = 0.75;

/**
 * What this process has claimed: what it is sending, what waits here for its turn, and what was sent and is being written
 * down. Each webhook has a share of that, and each tenant. Beyond it, what this process publishes itself may wait here as
 * far as it goes soon: a burst is then sent without being claimed, and a slow receiver holds no more than its share.
 */
export class ClaimBuffer {
  readonly #options: ClaimBufferOptions;
  readonly #now: () => number;
  readonly #pace: ThroughputMeter;
  readonly #tenantPace: ThroughputMeter;
  readonly #counts = new ClaimCounts();
  /** The lanes in which something waits; each goes to the end when it had its turn. */
  readonly #turns = new Set<Lane>();
  #claimedCount = 0;
  /** How many of the claimed lie beyond their webhooks' shares. */
  #surplus = 0;
  #sendingCount = 0;

  constructor(options: ClaimBufferOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
    this.#pace = new ThroughputMeter(now);
    this.#tenantPace = new ThroughputMeter(now);
  }

  get isEmpty(): boolean {
    return this.#claimedCount === 0;
  }

  get hasCapacity(): boolean {
    return this.#limit > 0;
  }

  /** What may be claimed now. At a slow pace some of it may wait here for long: then nothing of it begins with that. */
  get capacity(): Capacity {
    if (this.#isSoon(this.#limit)) return { ...this.prefetchCapacity, limit: this.#limit };
    return {
      limit: this.#limit,
      webhookLimit: this.#share,
      webhookRoom: this.#roomIn(this.#counts.byWebhook(), () => this.#share),
      tenantLimit: ahead * this.#options.tenantConcurrency,
      tenantRoom: this.#roomIn(this.#countsOfTenants(), (id) => ahead * this.#concurrencyOf(id)),
      isBegun: false,
    };
  }

  /** What of the events that this process publishes may come back claimed: it is sent at once, or soon. */
  get prefetchCapacity(): Capacity {
    const { concurrency, webhookConcurrency, tenantConcurrency } = this.#options;
    return {
      limit: concurrency + this.#soon(this.#pace.totalPerSecond) - this.#claimedCount,
      webhookLimit: webhookConcurrency,
      webhookRoom: this.#roomIn(this.#counts.byWebhook(), () => webhookConcurrency, this.#pace),
      tenantLimit: tenantConcurrency,
      tenantRoom: this.#roomIn(this.#countsOfTenants(), (id) => this.#concurrencyOf(id), this.#tenantPace),
      isBegun: true,
    };
  }

  /** Of so many in a second: how many are sent soon. */
  #soon(pace: number): number {
    return Math.floor((pace * this.#options.soonMs) / 1_000);
  }

  /** Whether all that waits here is sent soon, and so many more. */
  #isSoon(more: number): boolean {
    let count = more;
    for (const { id, waiting } of this.#turns) {
      if (waiting.length > this.#soon(this.#pace.perSecond(id))) return false;
      count += waiting.length;
    }
    return count <= this.#soon(this.#pace.totalPerSecond);
  }

  /** How many more of each may be claimed: up to its limit, less what is held, and more by what is sent soon at its pace. */
  #roomIn(
    counts: ReadonlyMap<string, number>,
    limitOf: (id: string) => number,
    pace?: ThroughputMeter,
  ): ReadonlyMap<string, number> {
    const room = new Map<string, number>();
    for (const id of [...counts.keys(), ...(pace?.keys() ?? [])]) {
      const soon = pace ? this.#soon(pace.perSecond(id)) : 0;
      room.set(id, Math.max(0, limitOf(id) + soon - (counts.get(id) ?? 0)));
    }
    return room;
  }

  /** Whether a claim would bring enough to be worth it. */
  get isLow(): boolean {
    return this.#limit >= (1 - low) * ahead * this.#options.concurrency;
  }

  get #limit(): number {
    return ahead * this.#options.concurrency - (this.#claimedCount - this.#surplus);
  }

  get #share(): number {
    return ahead * this.#options.webhookConcurrency;
  }

  #concurrencyOf(tenantId: string): number {
    const { tenantConcurrency, defaultTenantConcurrency } = this.#options;
    return tenantId === defaultTenant ? defaultTenantConcurrency : tenantConcurrency;
  }

  /** Of those for whom anything is held, and of the default tenant, whose limit is its own. */
  #countsOfTenants(): ReadonlyMap<string, number> {
    const counts = this.#counts.byTenant();
    if (!counts.has(defaultTenant)) counts.set(defaultTenant, 0);
    return counts;
  }

  /** Takes in what was claimed. */
  add(held: HeldClaim): void {
    const lane = this.#counts.add(held.claim.webhook);
    const { tenant } = lane;
    this.#claimedCount++;
    if (lane.claimed >= this.#share) lane.isFull = true;
    if (lane.claimed > this.#share) this.#surplus++;
    if (tenant.claimed >= ahead * this.#concurrencyOf(tenant.id)) tenant.isFull = true;
    lane.waiting.push(held);
    this.#turns.add(lane);
  }

  /** The next that may be sent; it takes a slot until `free`. */
  next(): HeldClaim | undefined {
    if (this.#sendingCount >= this.#options.concurrency) return undefined;
    for (const lane of this.#turns) {
      const { tenant, waiting } = lane;
      if (lane.sending >= this.#options.webhookConcurrency) continue;
      if (tenant.sending >= this.#concurrencyOf(tenant.id)) continue;
      const held = waiting.shift()!;
      this.#endTurn(lane);
      lane.sending++;
      tenant.sending++;
      this.#sendingCount++;
      return held;
    }
    return undefined;
  }

  #endTurn(lane: Lane): void {
    // Alone it is the last one, too; and a set from which much is taken is made anew again and again.
    if (lane.waiting.length > 0 && this.#turns.size === 1) return;
    this.#turns.delete(lane);
    if (lane.waiting.length > 0) this.#turns.add(lane);
  }

  /** Gives its slot back: there is an answer, which is still to be written. */
  freeSlot({ claim: { webhook } }: HeldClaim): void {
    const lane = this.#counts.of(webhook.id)!;
    lane.sending--;
    lane.tenant.sending--;
    this.#sendingCount--;
    const now = this.#now();
    this.#pace.count(webhook.id, now);
    this.#tenantPace.count(webhook.tenantId, now);
  }

  /** What waits here; it is in nobody's way any more. */
  takeAll(): HeldClaim[] {
    const all = [...this.#turns].flatMap(({ waiting }) => waiting.takeLast(waiting.length));
    this.#turns.clear();
    for (const held of all) this.remove(held);
    return all;
  }

  /** What waits here though its webhook will not get through it soon: it has become slow. The latest go first. */
  takeExcess(): HeldClaim[] {
    const stuck: HeldClaim[] = [];
    for (const lane of this.#turns) {
      const most = this.#share + this.#pace.perSecond(lane.id);
      const count = Math.min(lane.claimed - most, lane.waiting.length);
      if (count > 0) stuck.push(...lane.waiting.takeLast(count));
      if (lane.waiting.length === 0) this.#turns.delete(lane);
    }
    for (const held of stuck) this.remove(held);
    return stuck;
  }

  waiting(): HeldClaim[] {
    return [...this.#turns].flatMap(({ waiting }) => [...waiting]);
  }

  /** Drops one that waits here and was lost. */
  drop(held: HeldClaim): void {
    const lane = this.#counts.of(held.claim.webhook.id);
    if (!lane?.waiting.remove(held)) return;
    if (lane.waiting.length === 0) this.#turns.delete(lane);
    this.remove(held);
  }

  /** It is held no more. True where its webhook or its tenant may have more elsewhere, for which there is room now. */
  remove({ claim: { webhook } }: HeldClaim): boolean {
    const lane = this.#counts.of(webhook.id)!;
    const { tenant } = lane;
    this.#claimedCount--;
    this.#counts.remove(lane);
    if (lane.claimed >= this.#share) this.#surplus--;
    const isRoom = hasCapacityAgain(lane, low * this.#share);
    const isTenantsRoom = hasCapacityAgain(tenant, low * ahead * this.#concurrencyOf(tenant.id));
    return isRoom || isTenantsRoom;
  }
}

/** Whether what was full has come down to so many. */
function hasCapacityAgain(holder: Tenant, most: number): boolean {
  const hasRoom = holder.isFull && holder.claimed <= most;
  if (hasRoom) holder.isFull = false;
  return hasRoom;
}

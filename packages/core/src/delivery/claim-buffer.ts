import { defaultTenant } from '../models/fields.js';
import type { ClaimOptions } from '../storage/ports.js';
import { ClaimCounts, type HeldClaim, type Lane, type Tenant } from './claim-counts.js';
import { ThroughputMeter } from './throughput-meter.js';

export interface ClaimBufferOptions {
  /** How many deliveries may be sent at once. */
  readonly concurrency: number;
  /** How many of them to one webhook. */
  readonly webhookConcurrency: number;
  /** How many of them to the webhooks of one tenant. */
  readonly tenantConcurrency: number;
  /** As `tenantConcurrency`, for the default tenant: that of an application that names none. */
  readonly defaultTenantConcurrency: number;
  /** The first attempt of a claim may begin with the claim if it will be sent within this time. */
  readonly soonMs: number;
}

/** How many claims there is capacity for. */
export type Capacity = Omit<Required<ClaimOptions>, 'leaseMs'>;

/** Twice as many may be claimed as may be sent at once: the next claim is here when a slot becomes free. */
const ahead = 2;
/** More is claimed when the buffer falls below this share of its size, so that each claim brings many. */
const low = 0.75;

/**
 * The claims of this process: being sent, waiting to be sent, and sent with a result still to be written. Each webhook and
 * each tenant has a share of the buffer. Events that this process publishes may exceed the share as far as they will be sent
 * soon: a burst is sent without a call of `claim`, and a slow receiver holds no more than its share.
 */
export class ClaimBuffer {
  readonly #options: ClaimBufferOptions;
  readonly #now: () => number;
  readonly #pace: ThroughputMeter;
  readonly #tenantPace: ThroughputMeter;
  readonly #counts = new ClaimCounts();
  /** The lanes with waiting claims, in the order of their turns. */
  readonly #turns = new Set<Lane>();
  #claimedCount = 0;
  /** How many claims exceed the share of their webhook. */
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

  /** The capacity for `claim`. Attempts begin with the claim only if everything buffered will be sent within `soonMs`. */
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

  /** The capacity for events that this process publishes: claims that will be sent at once, or soon. */
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

  /** How many are sent soon at this pace, in deliveries per second. */
  #soon(pace: number): number {
    return Math.floor((pace * this.#options.soonMs) / 1_000);
  }

  /** Whether everything that waits here will be sent soon, and `more` claims with it. */
  #isSoon(more: number): boolean {
    let count = more;
    for (const { id, waiting } of this.#turns) {
      if (waiting.length > this.#soon(this.#pace.perSecond(id))) return false;
      count += waiting.length;
    }
    return count <= this.#soon(this.#pace.totalPerSecond);
  }

  /** How many more of each may be claimed: its limit, minus what is held, plus what is sent soon at its pace. */
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

  /** Whether a claim would bring enough to be worth its cost. */
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

  /** The tenants with claims, and always the default tenant, which has a limit of its own. */
  #countsOfTenants(): ReadonlyMap<string, number> {
    const counts = this.#counts.byTenant();
    if (!counts.has(defaultTenant)) counts.set(defaultTenant, 0);
    return counts;
  }

  /** Adds a claim, to wait for its slot. */
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

  /** The next claim to send, if there is one. It takes a slot until `freeSlot`. */
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
    // With one lane there is no turn to pass. A set rebuilds its table after many deletions.
    if (lane.waiting.length > 0 && this.#turns.size === 1) return;
    this.#turns.delete(lane);
    if (lane.waiting.length > 0) this.#turns.add(lane);
  }

  /** Frees the slot of a claim: its receiver has answered, and the result is still to be written. */
  freeSlot({ claim: { webhook } }: HeldClaim): void {
    const lane = this.#counts.of(webhook.id)!;
    lane.sending--;
    lane.tenant.sending--;
    this.#sendingCount--;
    const now = this.#now();
    this.#pace.count(webhook.id, now);
    this.#tenantPace.count(webhook.tenantId, now);
  }

  /** Removes and returns all waiting claims. */
  takeAll(): HeldClaim[] {
    const all = [...this.#turns].flatMap(({ waiting }) => waiting.takeLast(waiting.length));
    this.#turns.clear();
    for (const held of all) this.remove(held);
    return all;
  }

  /** Removes and returns waiting claims that their webhook, having become slow, will not reach soon. The latest go first. */
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

  /** Removes a waiting claim whose lease was lost. */
  drop(held: HeldClaim): void {
    const lane = this.#counts.of(held.claim.webhook.id);
    if (!lane?.waiting.remove(held)) return;
    if (lane.waiting.length === 0) this.#turns.delete(lane);
    this.remove(held);
  }

  /** Stops counting a claim. True where its webhook or tenant was full and may now claim more. */
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

/** Whether a full holder has come down to `most` claims. */
function hasCapacityAgain(holder: Tenant, most: number): boolean {
  const hasRoom = holder.isFull && holder.claimed <= most;
  if (hasRoom) holder.isFull = false;
  return hasRoom;
}

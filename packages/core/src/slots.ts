import { defaultTenant } from './models.js';
import { Pace } from './pace.js';
import type { Claim, ClaimOptions } from './ports.js';

export interface SlotsOptions {
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

/** A claim that this process holds. */
export interface HeldClaim {
  readonly claim: Claim;
  /** Until when its lease holds at least, in monotonic time. */
  heldUntil: number;
  /** How far the process's clock was from monotonic time just before it was claimed. */
  readonly gapMs: number;
}

/** How much may be claimed. */
export type Room = Omit<Required<ClaimOptions>, 'leaseMs'>;

/** Twice as much may be claimed as may be sent: what comes next lies here already when a slot becomes free. */
const ahead = 2;
/** Below this part of it more is claimed, so that a claim is worth its while. */
const low = 0.75;

/**
 * What this process has claimed: what it is sending, what waits here for its turn, and what was sent and is being written
 * down. Each webhook has a share of that, and each tenant. Beyond it, what this process publishes itself may wait here as
 * far as it goes soon: a burst is then sent without being claimed, and a slow receiver holds no more than its share.
 */
export class Slots {
  readonly #options: SlotsOptions;
  readonly #now: () => number;
  readonly #pace: Pace;
  readonly #tenantPace: Pace;
  readonly #claimed = new Map<string, number>();
  readonly #claimedOfTenant = new Map<string, number>();
  readonly #sending = new Map<string, number>();
  readonly #sendingOfTenant = new Map<string, number>();
  /** By webhook, and each goes to the end when it had its turn. */
  readonly #waiting = new Map<string, HeldClaim[]>();
  #claimedCount = 0;
  /** How many of the claimed lie beyond their webhooks' shares. */
  #surplus = 0;
  #sendingCount = 0;
  /** Webhooks and tenants that had no room when it was last asked how much there is. */
  readonly #full = new Set<string>();

  constructor(options: SlotsOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
    this.#pace = new Pace(now);
    this.#tenantPace = new Pace(now);
  }

  get isEmpty(): boolean {
    return this.#claimedCount === 0;
  }

  get hasRoom(): boolean {
    return this.#limit > 0;
  }

  /** What may be claimed now. At a slow pace some of it may wait here for long: then nothing of it begins with that. */
  get room(): Room {
    if (this.#isSoon(this.#limit)) return { ...this.roomForOwn, limit: this.#limit };
    return {
      limit: this.#limit,
      webhookLimit: this.#share,
      inFlight: this.#claimed,
      tenantLimit: ahead * this.#options.tenantConcurrency,
      tenantsInFlight: this.#withDefaultTenant(this.#claimedOfTenant, ahead),
      isBegun: false,
    };
  }

  /** What of the events that this process publishes may come back claimed: it is sent at once, or soon. */
  get roomForOwn(): Room {
    return {
      limit: this.#options.concurrency + this.#soon(this.#pace.total) - this.#claimedCount,
      webhookLimit: this.#options.webhookConcurrency,
      inFlight: this.#without(this.#claimed, this.#pace),
      tenantLimit: this.#options.tenantConcurrency,
      tenantsInFlight: this.#without(this.#withDefaultTenant(this.#claimedOfTenant, 1), this.#tenantPace),
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
    for (const [id, waiting] of this.#waiting) {
      if (waiting.length > this.#soon(this.#pace.of(id))) return false;
      count += waiting.length;
    }
    return count <= this.#soon(this.#pace.total);
  }

  /** What counts but for what is sent soon. */
  #without(counts: ReadonlyMap<string, number>, pace: Pace): ReadonlyMap<string, number> {
    const rest = new Map(counts);
    for (const key of pace.keys()) rest.set(key, (rest.get(key) ?? 0) - this.#soon(pace.of(key)));
    return rest;
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

  /** The default tenant may have more than others: by so much it has less than there is. */
  #withDefaultTenant(counts: ReadonlyMap<string, number>, times: number): ReadonlyMap<string, number> {
    const more = this.#options.defaultTenantConcurrency - this.#options.tenantConcurrency;
    if (more === 0) return counts;
    return new Map(counts).set(defaultTenant, (counts.get(defaultTenant) ?? 0) - times * more);
  }

  /** Takes in what was claimed. */
  add(held: HeldClaim): void {
    const { id, tenantId } = held.claim.webhook;
    this.#claimedCount++;
    const count = increase(this.#claimed, id);
    if (count >= this.#share) this.#full.add(id);
    if (count > this.#share) this.#surplus++;
    const ofTenant = increase(this.#claimedOfTenant, tenantId);
    if (ofTenant >= ahead * this.#concurrencyOf(tenantId)) this.#full.add(tenantKey(tenantId));
    const waiting = this.#waiting.get(id);
    if (waiting) waiting.push(held);
    else this.#waiting.set(id, [held]);
  }

  /** The next that may be sent; it takes a slot until `free`. */
  next(): HeldClaim | undefined {
    if (this.#sendingCount >= this.#options.concurrency) return undefined;
    for (const [id, waiting] of this.#waiting) {
      if ((this.#sending.get(id) ?? 0) >= this.#options.webhookConcurrency) continue;
      const { tenantId } = waiting[0]!.claim.webhook;
      if ((this.#sendingOfTenant.get(tenantId) ?? 0) >= this.#concurrencyOf(tenantId)) continue;
      this.#waiting.delete(id);
      const held = waiting.shift()!;
      if (waiting.length > 0) this.#waiting.set(id, waiting);
      increase(this.#sending, id);
      increase(this.#sendingOfTenant, tenantId);
      this.#sendingCount++;
      return held;
    }
    return undefined;
  }

  /** Gives its slot back: there is an answer, which is still to be written. */
  free({ claim: { webhook } }: HeldClaim): void {
    decrease(this.#sending, webhook.id);
    decrease(this.#sendingOfTenant, webhook.tenantId);
    this.#sendingCount--;
    const now = this.#now();
    this.#pace.count(webhook.id, now);
    this.#tenantPace.count(webhook.tenantId, now);
  }

  /** What waits here; it is in nobody's way any more. */
  takeWaiting(): HeldClaim[] {
    const all = this.waiting();
    this.#waiting.clear();
    for (const held of all) this.forget(held);
    return all;
  }

  /** What waits here though its webhook will not get through it soon: it has become slow. The latest go first. */
  takeStuck(): HeldClaim[] {
    const stuck: HeldClaim[] = [];
    for (const [id, waiting] of this.#waiting) {
      const most = this.#share + this.#pace.of(id);
      const count = Math.min((this.#claimed.get(id) ?? 0) - most, waiting.length);
      if (count > 0) stuck.push(...waiting.splice(waiting.length - count));
      if (waiting.length === 0) this.#waiting.delete(id);
    }
    for (const held of stuck) this.forget(held);
    return stuck;
  }

  waiting(): HeldClaim[] {
    return [...this.#waiting.values()].flat();
  }

  /** Drops one that waits here and was lost. */
  drop(held: HeldClaim): void {
    const { id } = held.claim.webhook;
    const waiting = this.#waiting.get(id);
    const at = waiting?.indexOf(held) ?? -1;
    if (at < 0) return;
    waiting!.splice(at, 1);
    if (waiting!.length === 0) this.#waiting.delete(id);
    this.forget(held);
  }

  /** It is held no more. True where its webhook or its tenant may have more elsewhere, for which there is room now. */
  forget({ claim: { webhook } }: HeldClaim): boolean {
    const { id, tenantId } = webhook;
    this.#claimedCount--;
    const left = decrease(this.#claimed, id);
    const leftOfTenant = decrease(this.#claimedOfTenant, tenantId);
    if (left >= this.#share) this.#surplus--;
    const isRoom = left <= low * this.#share && this.#full.delete(id);
    const isTenantsRoom = leftOfTenant <= low * ahead * this.#concurrencyOf(tenantId);
    return (isTenantsRoom && this.#full.delete(tenantKey(tenantId))) || isRoom;
  }
}

/** No webhook's id has such a form. */
const tenantKey = (tenantId: string): string => `tenant ${tenantId}`;

function increase(counts: Map<string, number>, key: string): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}

function decrease(counts: Map<string, number>, key: string): number {
  const left = counts.get(key)! - 1;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
  return left;
}

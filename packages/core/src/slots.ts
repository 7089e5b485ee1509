import { Pace } from './pace.js';
import type { Claim, ClaimOptions } from './ports.js';

export interface SlotsOptions {
  /** How many deliveries may be sent at a time. */
  readonly concurrency: number;
  /** How many of them to one webhook. */
  readonly webhookConcurrency: number;
}

/** How much may be claimed. */
export type Room = Pick<ClaimOptions, 'limit' | 'webhookLimit' | 'inFlight'>;

/** Twice as much may be claimed as may be sent: what comes next lies here already when a slot becomes free. */
const ahead = 2;
/** Below this part of it more is claimed, so that a claim is worth its while. */
const low = 0.75;

/**
 * What this process has claimed: what it is sending, and what waits here for its turn. Each webhook has a share of that.
 * Beyond it, what this process publishes itself may wait here as far as the webhook will get through it in a second:
 * a burst is then sent without being claimed, and a slow receiver holds no more than its share.
 */
export class Slots {
  readonly #options: SlotsOptions;
  readonly #pace: Pace;
  readonly #claimed = new Map<string, number>();
  readonly #sending = new Map<string, number>();
  /** By webhook, and each goes to the end when it had its turn. */
  readonly #waiting = new Map<string, Claim[]>();
  #claimedCount = 0;
  /** How many of the claimed lie beyond their webhooks' shares. */
  #surplus = 0;
  #sendingCount = 0;
  /** Webhooks that had no room when it was last asked how much there is. */
  readonly #full = new Set<string>();

  constructor(options: SlotsOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#pace = new Pace(now);
  }

  get isEmpty(): boolean {
    return this.#claimedCount === 0;
  }

  /** What may be claimed now. */
  get room(): Room {
    return { limit: this.#limit, webhookLimit: this.#share, inFlight: this.#claimed };
  }

  /** What of the events that this process publishes may come back claimed. */
  get roomForOwn(): Room {
    const inFlight = new Map(this.#claimed);
    let ownLimit = Math.max(this.#limit, 0) - this.#surplus;
    for (const id of this.#pace.webhooks()) {
      const pace = this.#pace.of(id);
      ownLimit += pace;
      inFlight.set(id, (inFlight.get(id) ?? 0) - pace);
    }
    return { limit: Math.max(ownLimit, this.#limit), webhookLimit: this.#share, inFlight };
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

  /** Takes in what was claimed. */
  add(claim: Claim): void {
    const { id } = claim.webhook;
    this.#claimedCount++;
    const count = (this.#claimed.get(id) ?? 0) + 1;
    this.#claimed.set(id, count);
    if (count >= this.#share) this.#full.add(id);
    if (count > this.#share) this.#surplus++;
    const waiting = this.#waiting.get(id);
    if (waiting) waiting.push(claim);
    else this.#waiting.set(id, [claim]);
  }

  /** The next that may be sent; it takes a slot until `free`. */
  next(): Claim | undefined {
    if (this.#sendingCount >= this.#options.concurrency) return undefined;
    for (const [id, claims] of this.#waiting) {
      const sending = this.#sending.get(id) ?? 0;
      if (sending >= this.#options.webhookConcurrency) continue;
      this.#waiting.delete(id);
      const claim = claims.shift()!;
      if (claims.length > 0) this.#waiting.set(id, claims);
      this.#sending.set(id, sending + 1);
      this.#sendingCount++;
      return claim;
    }
    return undefined;
  }

  /** Gives a slot back. True where the webhook may have had more waiting elsewhere, for which there is room now. */
  free(claim: Claim): boolean {
    const { id } = claim.webhook;
    decrease(this.#sending, id);
    this.#sendingCount--;
    this.#pace.count(id);
    return this.#forget(id);
  }

  /** What waits here; it is in nobody's way any more. */
  takeWaiting(): Claim[] {
    const claims = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const { webhook } of claims) this.#forget(webhook.id);
    return claims;
  }

  /** What waits here though its webhook will not get through it soon: it has become slow. The latest go first. */
  takeStuck(): Claim[] {
    const stuck: Claim[] = [];
    for (const [id, claims] of this.#waiting) {
      const most = this.#share + this.#pace.of(id);
      const count = Math.min((this.#claimed.get(id) ?? 0) - most, claims.length);
      if (count > 0) stuck.push(...claims.splice(claims.length - count));
      if (claims.length === 0) this.#waiting.delete(id);
    }
    for (const { webhook } of stuck) this.#forget(webhook.id);
    return stuck;
  }

  /** Claims that wait here. */
  waiting(): Claim[] {
    return [...this.#waiting.values()].flat();
  }

  /** Drops one that waits here and was lost. */
  drop(claim: Claim): void {
    const claims = this.#waiting.get(claim.webhook.id);
    const at = claims?.indexOf(claim) ?? -1;
    if (at < 0) return;
    claims!.splice(at, 1);
    if (claims!.length === 0) this.#waiting.delete(claim.webhook.id);
    this.#forget(claim.webhook.id);
  }

  #forget(id: string): boolean {
    this.#claimedCount--;
    const left = decrease(this.#claimed, id);
    if (left >= this.#share) this.#surplus--;
    return left <= low * this.#share && this.#full.delete(id);
  }
}

function decrease(counts: Map<string, number>, id: string): number {
  const left = counts.get(id)! - 1;
  if (left > 0) counts.set(id, left);
  else counts.delete(id);
  return left;
}

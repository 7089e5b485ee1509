import type { DeliveryStatus } from '@posthorn/core';
import {
  type Claim,
  deliveryId,
  type NewEvent,
  type NextState,
  type PublishResult,
  type WebhookRecord,
} from '@posthorn/core/storage';

/** A webhook of the walk, as last written. */
export interface KnownWebhook {
  record: WebhookRecord;
  isDeleted: boolean;
}

/** The expected state of a delivery. */
export interface Known {
  readonly event: NewEvent;
  readonly webhook: KnownWebhook;
  status: DeliveryStatus;
  attempts: number;
  attemptsBeforeRetry: number;
  uncounted: number;
  recorded: number;
  /** The due time while pending, and the end of the lease while sending. */
  at: number;
  token: string | undefined;
  /** Whether its attempt has begun under this lease, and whether an earlier one began and was lost. */
  isBegun: boolean;
  isLost: boolean;
}

interface KnownEvent {
  readonly event: NewEvent;
  readonly result: PublishResult;
  readonly at: number;
}

/** Whether it is delivered, dead or cancelled. */
export const isFinished = ({ status }: Known): boolean => status !== 'pending' && status !== 'sending';

/** A minimal model of a storage: each method does what the call of that name must do. */
export class Model {
  now = 0;
  readonly webhooks: KnownWebhook[] = [];
  readonly deliveries = new Map<string, Known>();
  readonly published: KnownEvent[] = [];
  /** All claims that were returned, whether or not they are still valid. */
  readonly held: Claim[] = [];

  living(): KnownWebhook[] {
    return this.webhooks.filter(({ isDeleted }) => !isDeleted);
  }

  claimable(): Known[] {
    return [...this.deliveries.values()].filter((known) => this.isClaimable(known));
  }

  isClaimable({ webhook, status, at }: Known): boolean {
    return (
      !webhook.isDeleted &&
      webhook.record.isActive &&
      (status === 'pending' || status === 'sending') &&
      at <= this.now
    );
  }

  holds({ deliveryId: id, token }: Claim): boolean {
    return this.deliveries.get(id)?.token === token;
  }

  /** Whether the claim is valid, with at least `leftMs` left of its lease. */
  lasts(claim: Claim, leftMs: number): boolean {
    return this.holds(claim) && this.deliveries.get(claim.deliveryId)!.at >= this.now + leftMs;
  }

  deleteWebhook(webhook: KnownWebhook): void {
    webhook.isDeleted = true;
    for (const known of this.deliveries.values()) {
      if (known.webhook === webhook && !isFinished(known)) this.#move(known, 'cancelled');
    }
  }

  publish(event: NewEvent): PublishResult {
    const matching = this.living().filter(
      ({ record }) =>
        record.isActive &&
        record.tenantId === event.tenantId &&
        record.eventTypes.some((pattern) => event.matchingPatterns.includes(pattern)),
    );
    let deliveries = 0;
    for (const webhook of matching) {
      for (const binding of webhook.record.channels) {
        const counts = { attempts: 0, attemptsBeforeRetry: 0, uncounted: 0, recorded: 0 };
        const fresh = { status: 'pending', ...counts, isBegun: false, isLost: false } as const;
        const known = { event, webhook, ...fresh, at: this.now, token: undefined };
        this.deliveries.set(deliveryId(event.id, binding.id), known);
        deliveries += 1;
      }
    }
    const result = { eventId: event.id, deliveries };
    this.published.push({ event, result, at: this.now });
    return result;
  }

  claim(claim: Claim, leaseMs: number): void {
    const known = this.deliveries.get(claim.deliveryId)!;
    known.isLost ||= known.isBegun;
    const isBegun = claim.begunAt !== undefined;
    Object.assign(known, { status: 'sending', at: this.now + leaseMs, token: claim.token, isBegun });
    if (isBegun) known.attempts += 1;
    this.held.push(claim);
  }

  begin(claim: Claim): void {
    const known = this.deliveries.get(claim.deliveryId)!;
    if (!known.isBegun) known.attempts += 1;
    known.isBegun = true;
  }

  renew(claim: Claim, leaseMs: number): void {
    this.deliveries.get(claim.deliveryId)!.at = this.now + leaseMs;
  }

  /** Returns false where the claim is no longer valid. */
  settle(claim: Claim, next: Exclude<NextState, { status: 'split' }>): boolean {
    const known = this.deliveries.get(claim.deliveryId);
    if (!known || !this.holds(claim)) return false;
    if (next.status === 'released') {
      if (known.isBegun) known.attempts -= 1;
      this.#move(known, 'pending');
      return true;
    }
    known.recorded += 1;
    known.isLost = false;
    if (next.status === 'pending' && next.isUncounted) known.uncounted += 1;
    this.#move(known, next.status, next.status === 'pending' ? this.now + next.delayMs : this.now);
    return true;
  }

  /** Returns false where the transition is not allowed. */
  transition(tenantId: string, id: string, status: 'pending' | 'cancelled'): boolean {
    const known = this.deliveries.get(id)!;
    const may =
      known.event.tenantId === tenantId &&
      (status === 'cancelled' ? !isFinished(known) : known.status !== 'sending' && !known.webhook.isDeleted);
    if (!may) return false;
    if (status === 'pending') Object.assign(known, { attemptsBeforeRetry: known.attempts, uncounted: 0 });
    else known.isLost = false;
    this.#move(known, status);
    return true;
  }

  /** Deletes events, and returns how many. */
  prune(olderThanMs: number): number {
    const old = this.published.filter(({ event, at }) => {
      const ofEvent = [...this.deliveries.values()].filter((known) => known.event === event);
      return at + olderThanMs <= this.now && ofEvent.every(isFinished);
    });
    for (const gone of old) {
      this.published.splice(this.published.indexOf(gone), 1);
      for (const [id, { event }] of this.deliveries) if (event === gone.event) this.deliveries.delete(id);
    }
    return old.length;
  }

  #move(known: Known, status: DeliveryStatus, at = this.now): void {
    Object.assign(known, { status, at, token: undefined, isBegun: false });
  }
}

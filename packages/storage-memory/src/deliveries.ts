import type { Claim, ClaimOptions, DeliveryStore, Settlement } from '@posthorn/core/storage';
import { Deferrals } from './deferrals.js';
import { DeliveryStates, deliveriesOf, together } from './delivery-states.js';
import { attemptEntry, type DeliveryEntry, type EventEntry, type WebhookEntry } from './entries.js';
import { claimOf } from './handed-out.js';
import type { Journal } from './journal.js';
import { Leases } from './leases.js';
import { type FreshEvent, planOf } from './plan.js';
import type { WebhookTable } from './webhooks.js';

type BindingsOf = Parameters<Journal['add']>[2];

/** What the log may do to the queue, besides the port. */
export interface Queue
  extends DeliveryStore,
    Pick<DeliveryStates, 'restart' | 'hasten' | 'cancel' | 'refresh'> {
  /** Stores an event at the commit of its transaction. Deliveries to webhooks that are deleted by now are cancelled. */
  store(event: FreshEvent, bindingsOf: BindingsOf): void;
  /** Begins a delivery of a stored event to a binding that has none of it; false where it has, or there is no such binding. */
  beginMissed(event: EventEntry, webhook: WebhookEntry, bindingId: string): boolean;
}

/** What each call of the port does, under the lease that a claim names. */
export function deliveryQueue(
  journal: Journal,
  { matching, holds }: Pick<WebhookTable, 'matching' | 'holds'>,
  now: () => number,
): Queue {
  const leases = new Leases();
  const deferrals = new Deferrals();
  const states = new DeliveryStates(journal, leases, deferrals, now);

  /** A first attempt begins with that at `beginsAt`: the schedule leaves it out where its worker is lost. */
  function lease(delivery: DeliveryEntry, until: number, beginsAt: number | undefined): Claim {
    const lease = leases.open(delivery);
    deferrals.leaveOut(delivery, now() - delivery.at);
    states.reschedule(delivery, until);
    for (const each of together(delivery)) each.status = 'sending';
    const isFirst = lease.lostAt === undefined && delivery.attempts === delivery.attemptsBeforeRetry;
    const begunAt = isFirst ? beginsAt : undefined;
    const claim = claimOf(delivery, { ...lease, begunAt, deferredSince: deferrals.of(delivery) });
    if (begunAt !== undefined) begin(delivery, begunAt);
    return claim;
  }

  function begin(delivery: DeliveryEntry, at: number): void {
    if (leases.begin(delivery, at)) for (const each of together(delivery)) each.attempts++;
  }

  function claimDue(options: ClaimOptions): Claim[] {
    const { limit, leaseMs, webhookLimit, webhookRoom, isBegun = false } = options;
    const { tenantLimit = Number.POSITIVE_INFINITY, tenantRoom } = options;
    const at = states.wake();
    const taken = states.lanes.take(limit, {
      of: ({ record }) => webhookRoom.get(record.id) ?? webhookLimit,
      ofTenant: (tenantId) => tenantRoom?.get(tenantId) ?? tenantLimit,
    });
    return taken.map((delivery) => lease(delivery, at + leaseMs, isBegun ? at : undefined));
  }

  function settleOne({ claim, next, attempt, escalateTo = [] }: Settlement): boolean {
    const delivery = leases.of(claim);
    if (!delivery) return false;
    for (const each of deliveriesOf(delivery)) {
      if (attempt) journal.attempted(each, attemptEntry(attempt));
      for (const bindingId of escalateTo) {
        const begun = journal.begin(each.event, each.webhook, bindingId);
        if (begun) states.enter(begun);
      }
    }
    if ('checkpoint' in next) delivery.checkpoint = next.checkpoint ?? delivery.checkpoint;
    if (next.status !== 'released') leases.forgetLost(delivery);
    if (next.status === 'released' && next.delayMs) deferrals.begin(delivery, now());
    if (next.status === 'pending' && !next.isRateLimited) deferrals.end(delivery);
    if (next.status === 'pending' && next.isUncounted) leases.leaveOut(delivery);
    // Nothing was sent.
    if (!attempt && leases.hasBegun(delivery)) for (const each of together(delivery)) each.attempts--;
    if (next.status === 'split') states.split(delivery);
    else if (next.status === 'pending') states.wait(delivery, next.delayMs, next.unblocksOrder);
    else if (next.status !== 'released') states.end(delivery, next.status);
    else if (next.delayMs) states.wait(delivery, next.delayMs);
    else states.makeDue(delivery);
    return true;
  }

  function add({ event, matched }: FreshEvent, bindingsOf?: BindingsOf): EventEntry {
    const entry = journal.add(event, matched, bindingsOf);
    for (const delivery of entry.deliveries) states.enter(delivery);
    return entry;
  }

  return {
    store(event, bindingsOf) {
      states.wake();
      for (const delivery of add(event, bindingsOf).deliveries) {
        if (!holds(delivery.webhook)) states.cancel(delivery);
      }
    },

    async publish(events, options = {}) {
      const plan = planOf(events, journal, matching);
      // What is stored already needs no room.
      if (plan.fresh.length > 0) journal.makeRoom(plan.bytes, plan.keyBytes);
      states.wake();
      const { results } = plan;
      for (const fresh of plan.fresh) {
        const { id, deliveries } = add(fresh);
        results.set(fresh.event, { eventId: id, deliveries: deliveries.length });
      }
      const published = events.map((event) => results.get(plan.twins.get(event) ?? event)!);
      const { prefetch } = options;
      return { published, claims: prefetch ? claimDue(prefetch) : [], at: new Date(now()) };
    },

    async claim(options) {
      return claimDue(options);
    },

    async begin(claims, leftMs) {
      const at = now();
      const started = claims.filter((claim) => {
        const delivery = leases.of(claim);
        if (!delivery || delivery.at <= at + leftMs) return false;
        begin(delivery, at);
        return true;
      });
      return { begun: started, at: new Date(at) };
    },

    async renew(claims, leaseMs) {
      const end = now() + leaseMs;
      return claims.filter((claim) => {
        const delivery = leases.of(claim);
        if (delivery) states.reschedule(delivery, end);
        return delivery !== undefined;
      });
    },

    async settle(settlements) {
      return settlements.map(settleOne);
    },

    beginMissed(event, webhook, bindingId) {
      const missed = journal.begin(event, webhook, bindingId);
      if (!missed) return false;
      states.enter(missed);
      return true;
    },

    hasten: (delivery) => states.hasten(delivery),
    restart: (delivery) => states.restart(delivery),
    cancel: (delivery) => states.cancel(delivery),
    refresh: (webhook, former) => states.refresh(webhook, former),
  };
}

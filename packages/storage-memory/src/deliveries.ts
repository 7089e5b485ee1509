import type { Claim, ClaimOptions, DeliveryStore, Settlement, WebhookRecord } from '@posthorn/core';
import { Alarms } from './alarms.js';
import { Chains } from './chains.js';
import { Digests } from './digests.js';
import { attemptEntry, type DeliveryEntry, type EventEntry, type WebhookEntry } from './entries.js';
import { claimOf } from './handed-out.js';
import type { Journal } from './journal.js';
import { Lanes } from './lanes.js';
import { Leases } from './leases.js';
import { planOf } from './plan.js';
import { PutOffs } from './put-offs.js';
import type { WebhookTable } from './webhooks.js';

/** What the log may do to the queue, besides the port. */
export interface Queue extends DeliveryStore {
  /** Makes a delivery that is not being sent due at once, with a new schedule. */
  restart(delivery: DeliveryEntry): void;
  /** Begins a delivery of a stored event to a binding that has none of it; false where it has, or there is no such binding. */
  beginMissed(event: EventEntry, webhook: WebhookEntry, bindingId: string): boolean;
  /** Makes a pending delivery due at once; false for one that gathers. */
  hasten(delivery: DeliveryEntry): boolean;
  /** Ends a delivery that is not finished. */
  cancel(delivery: DeliveryEntry): void;
  /** The webhook was paused or made active, or has other bindings than those of `former`. */
  refresh(webhook: WebhookEntry, former: WebhookRecord): void;
}

/**
 * A pending delivery is either in its webhook's lane, because it is due, or an alarm is set for when it will be. One
 * that is being sent has an alarm for the end of its lease, and a token by which it is found; when its lease is over
 * it goes to the lane, and its token holds until somebody claims it. So each unfinished one is in one of the two, and
 * what came due stays due, even where the clock goes back. One that gathers has an alarm for the end of its window; of
 * a digest the entry that leads it goes this way, and its deliveries share what becomes of that.
 */
export function deliveryQueue(
  journal: Journal,
  matching: WebhookTable['matching'],
  now: () => number,
): Queue {
  const lanes = new Lanes();
  const chains = new Chains(lanes);
  const alarms = new Alarms();
  const leases = new Leases();
  const putOffs = new PutOffs();
  const digests = new Digests(alarms, {
    formed: ({ lead }) => chains.push(lead),
    left(delivery) {
      delivery.at = now();
      chains.push(delivery);
    },
  });

  /** The deliveries that an entry of the queue stands for: all of its digest, or itself. */
  const deliveriesOf = (entry: DeliveryEntry): readonly DeliveryEntry[] =>
    entry.isLead ? [...entry.digest!.entries] : [entry];

  /** Those, and what leads them. */
  const together = (entry: DeliveryEntry): readonly DeliveryEntry[] =>
    entry.isLead ? [entry, ...entry.digest!.entries] : [entry];

  function enter(delivery: DeliveryEntry): void {
    if (delivery.isGathered) {
      digests.gather(delivery, now());
      return;
    }
    chains.enter(delivery, false);
    chains.push(delivery);
  }

  /** Ends the lease, if there is one, and every wait. */
  function halt(delivery: DeliveryEntry): void {
    chains.remove(delivery);
    alarms.remove(delivery);
    leases.end(delivery);
  }

  /** A first attempt begins with that at `beginsAt`: the schedule leaves it out where its worker is lost. */
  function lease(delivery: DeliveryEntry, until: number, beginsAt: number | undefined): Claim {
    const lease = leases.open(delivery);
    putOffs.leaveOut(delivery, now() - delivery.at);
    putOff(delivery, until);
    for (const each of together(delivery)) each.status = 'sending';
    const isFirst = lease.lostAt === undefined && delivery.attempts === delivery.attemptsBefore;
    const begunAt = isFirst ? beginsAt : undefined;
    const claim = claimOf(delivery, { ...lease, begunAt, putOffSince: putOffs.of(delivery) });
    if (begunAt !== undefined) begin(delivery, begunAt);
    return claim;
  }

  function begin(delivery: DeliveryEntry, at: number): void {
    if (leases.begin(delivery, at)) for (const each of together(delivery)) each.attempts++;
  }

  /** Nobody gets the delivery before the instant `at`. */
  function putOff(delivery: DeliveryEntry, at: number): void {
    chains.remove(delivery);
    alarms.set(delivery, at);
  }

  /** Lets what is due by now into the lanes, before anything newer: so they stay in the order of due times. */
  function wake(): number {
    const time = now();
    for (let due = alarms.takeDue(time); due; due = alarms.takeDue(time)) {
      if (digests.gathers(due)) digests.form(due);
      else chains.push(due);
    }
    return time;
  }

  function makeDue(delivery: DeliveryEntry): void {
    const time = wake();
    halt(delivery);
    for (const each of together(delivery)) {
      if (each.isFinished) journal.finished(each, false);
      each.status = 'pending';
      each.at = time;
    }
    chains.release(delivery);
    chains.push(delivery);
  }

  /** Due at once, with a new schedule. */
  function startAnew(delivery: DeliveryEntry): void {
    for (const each of together(delivery)) each.attemptsBefore = each.attempts;
    leases.countAll(delivery);
    putOffs.end(delivery);
    chains.enter(delivery, true);
    makeDue(delivery);
  }

  /** Makes of a digest two, of its halves. */
  function split(delivery: DeliveryEntry): void {
    const half = delivery.isLead ? digests.split(delivery.digest!) : undefined;
    startAnew(delivery);
    if (half) startAnew(half.lead);
  }

  /** Gives the delivery back, due later. */
  function wait(delivery: DeliveryEntry, delayMs: number, yields = false): void {
    halt(delivery);
    putOff(delivery, now() + delayMs);
    for (const each of together(delivery)) {
      each.status = 'pending';
      each.at = delivery.at;
    }
    if (yields) chains.enter(delivery, true);
    chains.release(delivery);
  }

  function finish(delivery: DeliveryEntry, status: 'delivered' | 'dead' | 'cancelled'): void {
    halt(delivery);
    leases.forgetLost(delivery);
    delivery.status = status;
    delivery.at = now();
    delivery.digest = undefined;
    if (status === 'delivered') delivery.memo = undefined;
    journal.finished(delivery, true);
    chains.leave(delivery);
  }

  /** Ends it, or all of its digest, whose memo each of them keeps. */
  function end(delivery: DeliveryEntry, status: 'delivered' | 'dead' | 'cancelled'): void {
    halt(delivery);
    for (const each of deliveriesOf(delivery)) {
      each.memo = delivery.memo;
      finish(each, status);
    }
  }

  function claimDue(options: ClaimOptions): Claim[] {
    const { limit, leaseMs, webhookLimit, webhookRoom, isBegun = false } = options;
    const { tenantLimit = Number.POSITIVE_INFINITY, tenantRoom } = options;
    const at = wake();
    const taken = lanes.take(limit, {
      of: ({ record }) => webhookRoom.get(record.id) ?? webhookLimit,
      ofTenant: (tenantId) => tenantRoom?.get(tenantId) ?? tenantLimit,
    });
    return taken.map((delivery) => lease(delivery, at + leaseMs, isBegun ? at : undefined));
  }

  function settleOne({ claim, next, attempt, begin = [] }: Settlement): boolean {
    const delivery = leases.of(claim);
    if (!delivery) return false;
    for (const each of deliveriesOf(delivery)) {
      if (attempt) journal.attempted(each, attemptEntry(attempt));
      for (const bindingId of begin) {
        const begun = journal.begin(each.event, each.webhook, bindingId);
        if (begun) enter(begun);
      }
    }
    if ('memo' in next) delivery.memo = next.memo ?? delivery.memo;
    if (next.status !== 'released') leases.forgetLost(delivery);
    if (next.status === 'released' && next.delayMs) putOffs.begin(delivery, now());
    if (next.status === 'pending' && !next.isBusy) putOffs.end(delivery);
    if (next.status === 'pending' && next.isUncounted) leases.leaveOut(delivery);
    // Nothing was sent.
    if (!attempt && leases.hasBegun(delivery)) for (const each of together(delivery)) each.attempts--;
    if (next.status === 'split') split(delivery);
    else if (next.status === 'pending') wait(delivery, next.delayMs, next.yields);
    else if (next.status !== 'released') end(delivery, next.status);
    else if (next.delayMs) wait(delivery, next.delayMs);
    else makeDue(delivery);
    return true;
  }

  return {
    async publish(events, options = {}) {
      const plan = planOf(events, journal, matching);
      // What is stored already needs no room.
      if (plan.fresh.length > 0) journal.makeRoom(plan.bytes, plan.keyBytes);
      wake();
      const { results } = plan;
      for (const { event, matched } of plan.fresh) {
        const entry = journal.add(event, matched);
        for (const delivery of entry.deliveries) enter(delivery);
        results.set(event, { eventId: entry.id, deliveries: entry.deliveries.length });
      }
      const published = events.map((event) => results.get(plan.twins.get(event) ?? event)!);
      const { claimFor } = options;
      return { published, claims: claimFor ? claimDue(claimFor) : [], at: new Date(now()) };
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
        if (delivery) putOff(delivery, end);
        return delivery !== undefined;
      });
    },

    async settle(settlements) {
      return settlements.map(settleOne);
    },

    beginMissed(event, webhook, bindingId) {
      const missed = journal.begin(event, webhook, bindingId);
      if (!missed) return false;
      enter(missed);
      return true;
    },

    hasten(delivery) {
      if (digests.gathers(delivery)) return false;
      const present = wake();
      const waiting = delivery.digest ? delivery.digest.lead : delivery;
      if (waiting.at <= present) return true;
      alarms.remove(waiting);
      for (const each of together(waiting)) each.at = present;
      chains.push(waiting);
      return true;
    },

    restart(delivery) {
      if (!delivery.digest) digests.remove(delivery);
      startAnew(delivery.digest?.lead ?? delivery);
    },
    cancel(delivery) {
      const { digest } = delivery;
      digests.remove(delivery);
      if (digest) delivery.memo = digest.lead.memo;
      if (digest?.entries.size === 0) halt(digest.lead);
      finish(delivery, 'cancelled');
    },
    refresh(webhook, former) {
      const bindings = [...former.channels, ...webhook.record.channels];
      digests.refresh(new Set(bindings.map(({ id }) => id)));
      lanes.refresh(webhook);
    },
  };
}

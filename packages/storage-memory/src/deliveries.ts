import type {
  Claim,
  ClaimOptions,
  DeliveryStore,
  Event,
  NewEvent,
  Published,
  Settlement,
} from '@posthorn/core';
import { Alarms } from './alarms.js';
import { costOf } from './capacity.js';
import { attemptEntry, type DeliveryEntry, type EventEntry, type WebhookEntry } from './entries.js';
import { conflict, type Journal } from './journal.js';
import { Lanes } from './lanes.js';
import { copiedSecrets, type WebhookTable } from './webhooks.js';

/** What the log may do to the queue, besides the port. */
export interface Queue extends DeliveryStore {
  /** Makes a delivery that is not being sent due at once, with a new schedule. */
  restart(delivery: DeliveryEntry): void;
  /** Ends a delivery that is not finished. */
  cancel(delivery: DeliveryEntry): void;
  /** The webhook was paused or made active. */
  refresh(webhook: WebhookEntry): void;
}

/**
 * A pending delivery is either in its webhook's lane, because it is due, or an alarm is set for when it will be. One
 * that is being sent has an alarm for the end of its lease, and a token by which it is found; when its lease is over
 * it stands in the lane as well, and its token holds until somebody claims it.
 */
export function deliveryQueue(
  journal: Journal,
  matching: WebhookTable['matching'],
  now: () => number,
): Queue {
  const lanes = new Lanes();
  const alarms = new Alarms();
  const leased = new Map<string, DeliveryEntry>();
  let tokens = 0;

  /** Ends the lease, if there is one, and every wait. */
  function halt(delivery: DeliveryEntry): void {
    alarms.remove(delivery);
    if (delivery.token !== undefined) leased.delete(delivery.token);
    delivery.token = undefined;
  }

  /** Lets what is due by now into the lanes, before anything newer: so they stay in the order of due times. */
  function wake(): number {
    const time = now();
    for (let due = alarms.takeDue(time); due; due = alarms.takeDue(time)) lanes.push(due);
    return time;
  }

  function makeDue(delivery: DeliveryEntry): void {
    const time = wake();
    if (delivery.isFinished) journal.finished(delivery, false);
    halt(delivery);
    delivery.status = 'pending';
    delivery.at = time;
    lanes.push(delivery);
  }

  function finish(delivery: DeliveryEntry, status: 'delivered' | 'dead' | 'cancelled'): void {
    halt(delivery);
    delivery.status = status;
    delivery.at = now();
    journal.finished(delivery, true);
  }

  function claimDue({ limit, leaseMs, webhookLimit, inFlight }: ClaimOptions): Claim[] {
    const time = wake();
    const room = (webhook: WebhookEntry): number => webhookLimit - (inFlight.get(webhook.record.id) ?? 0);
    return lanes.take(limit, room, time).map((delivery) => {
      halt(delivery);
      const token = String(++tokens);
      delivery.status = 'sending';
      delivery.attempts++;
      delivery.token = token;
      leased.set(token, delivery);
      alarms.set(delivery, time + leaseMs);
      return claimOf(delivery, token);
    });
  }

  function settleOne({ claim, next, attempt }: Settlement): boolean {
    const delivery = leased.get(claim.token);
    if (!delivery || delivery.id !== claim.deliveryId) return false;
    if (attempt) {
      const entry = attemptEntry(attempt);
      delivery.log = delivery.log ? [...delivery.log, entry] : [entry];
      journal.attempted(costOf.attempt(attempt));
    }
    if (next.status === 'released') {
      delivery.attempts--;
      makeDue(delivery);
    } else if (next.status === 'pending') {
      halt(delivery);
      delivery.status = 'pending';
      alarms.set(delivery, now() + next.delayMs);
    } else finish(delivery, next.status);
    return true;
  }

  return {
    async publish(events, { claimFor } = {}) {
      const plan = planOf(events, journal, matching);
      journal.makeRoom(plan.reduce((sum, { cost }) => sum + cost, 0));
      wake();
      const stored = new Map<NewEvent, Published>();
      for (const { event, matched } of plan) {
        const entry = journal.add(event, matched);
        for (const delivery of entry.deliveries) lanes.push(delivery);
        stored.set(event, { eventId: entry.id, deliveries: entry.deliveries.length });
      }
      // Whatever is not new was there before the call, or is a twin within it.
      const published = events.map((event) => stored.get(event) ?? journal.earlier(event)!);
      return { published, claims: claimFor ? claimDue(claimFor) : [] };
    },

    async claim(options) {
      return claimDue(options);
    },

    async renew(claims, leaseMs) {
      const end = now() + leaseMs;
      return claims.filter(({ token }) => {
        const delivery = leased.get(token);
        if (delivery) alarms.set(delivery, end);
        return delivery !== undefined;
      });
    },

    async settle(settlements) {
      return settlements.map(settleOne);
    },

    restart(delivery) {
      delivery.attemptsBefore = delivery.attempts;
      makeDue(delivery);
    },
    cancel: (delivery) => finish(delivery, 'cancelled'),
    refresh: (webhook) => lanes.refresh(webhook),
  };
}

interface Plan {
  readonly event: NewEvent;
  readonly matched: readonly WebhookEntry[];
  readonly cost: number;
}

/** The events that are new, and what they will take; throws before anything is written. */
function planOf(events: readonly NewEvent[], journal: Journal, matching: WebhookTable['matching']): Plan[] {
  const plan: Plan[] = [];
  const twins = new Map<string, NewEvent>();
  for (const event of events) {
    if (journal.earlier(event)) continue;
    const { id, tenantId, idempotencyKey } = event;
    const twin = twins.get(id) ?? (idempotencyKey && twins.get(`${tenantId}\n${idempotencyKey}`));
    if (twin) {
      if (twin.fingerprint !== event.fingerprint) throw conflict(event);
      continue;
    }
    twins.set(id, event);
    if (idempotencyKey) twins.set(`${tenantId}\n${idempotencyKey}`, event);
    const matched = matching(tenantId, event.keys);
    const deliveries = matched.reduce((sum, { record }) => sum + record.channels.length, 0);
    const key = idempotencyKey === undefined ? 0 : costOf.key(idempotencyKey);
    plan.push({ event, matched, cost: costOf.event(event) + deliveries * costOf.delivery + key });
  }
  return plan;
}

function claimOf(delivery: DeliveryEntry, token: string): Claim {
  const { event, webhook, bindingId } = delivery;
  const { id, tenantId, name, secrets, channels } = webhook.record;
  return {
    deliveryId: delivery.id,
    token,
    attempt: delivery.attempts,
    attemptsBefore: delivery.attemptsBefore,
    event: eventOf(event),
    webhook: { id, tenantId, name, secrets: copiedSecrets(secrets) },
    binding: channels.find((binding) => binding.id === bindingId),
  };
}

export function eventOf(entry: EventEntry): Event {
  const { id, tenantId, type, payload, occurredAt, namespaceId, subject, cacheScope } = entry;
  return { id, tenantId, type, payload, occurredAt: new Date(occurredAt), namespaceId, subject, cacheScope };
}

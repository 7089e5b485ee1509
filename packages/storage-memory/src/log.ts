import type { Attempt, Delivery } from '@posthorn/core';
import {
  type DeliveryLog,
  type DeliverySelection,
  type EventRange,
  isInRange,
  isSelected,
  parseDeliveryId,
} from '@posthorn/core/storage';
import type { Queue } from './deliveries.js';
import type { AttemptEntry, DeliveryEntry, EventEntry, WebhookEntry } from './entries.js';
import { eventOf } from './handed-out.js';
import type { Journal } from './journal.js';
import { padded, pageOf } from './page.js';

export function deliveryLog(
  journal: Journal,
  queue: Queue,
  holdsWebhook: (webhook: WebhookEntry) => boolean,
  now: () => number,
): DeliveryLog {
  const { events } = journal;

  /** By the time in their ids, the latest first; all of them, or the one of this id. */
  function eventsIn(tenantId: string, range: EventRange, id: string | undefined): EventEntry[] {
    const one = id === undefined ? undefined : events.get(id);
    const some = id === undefined ? [...events.values()].reverse() : one ? [one] : [];
    return some
      .filter((event) => event.tenantId === tenantId && isInRange(event.id, range))
      .sort(latestFirst);
  }

  function find(tenantId: string, deliveryId: string): DeliveryEntry | undefined {
    const parts = parseDeliveryId(deliveryId);
    const event = parts && events.get(parts.eventId);
    if (event?.tenantId !== tenantId) return undefined;
    return event.deliveries.find(({ bindingId }) => bindingId === parts!.bindingId);
  }

  return {
    async events(tenantId, filter) {
      const { type } = filter;
      return pageOf(
        eventsIn(tenantId, filter, filter.id).filter((event) => (type ?? event.type) === event.type),
        filter,
        placeOf,
        eventOf,
      );
    },

    async deliveries(tenantId, filter) {
      const { id } = filter;
      const eventId = id === undefined ? filter.eventId : (parseDeliveryId(id)?.eventId ?? '');
      const all = eventsIn(tenantId, filter, eventId)
        .flatMap((event) => event.deliveries.toReversed())
        .filter((delivery) => (id ?? delivery.id) === delivery.id && fits(delivery, filter));
      return pageOf(all, filter, placeOfDelivery, deliveryOf);
    },

    async counts(tenantId, selection, bounds) {
      const counts = Array.from({ length: bounds.length + 1 }, () => ({ ...none }));
      let at = 0;
      for (const event of eventsIn(tenantId, selection, selection.eventId)) {
        // One event is near the other: so there are few steps from bound to bound.
        while (at < bounds.length && bounds[at]! <= event.id) at++;
        while (at > 0 && event.id < bounds[at - 1]!) at--;
        for (const delivery of event.deliveries) {
          if (fits(delivery, selection)) counts[at]![delivery.status]++;
        }
      }
      return counts;
    },

    async attempts(tenantId, deliveryId) {
      return (find(tenantId, deliveryId)?.log ?? []).map((entry) => attemptOf(entry, deliveryId));
    },

    async transition(tenantId, deliveryIds, to) {
      return deliveryIds.filter((id) => {
        const delivery = find(tenantId, id);
        if (!delivery) return false;
        if (to === 'due') return delivery.status === 'pending' && queue.hasten(delivery);
        if (to === 'cancelled') {
          if (delivery.isFinished) return false;
          queue.cancel(delivery);
        } else {
          if (delivery.status === 'sending' || !holdsWebhook(delivery.webhook)) return false;
          queue.restart(delivery);
        }
        return true;
      });
    },

    async prune({ olderThanMs, limit }) {
      const last = now() - olderThanMs;
      let count = 0;
      for (const event of events.values()) {
        if (count === limit || event.publishedAt > last) break;
        if (event.unfinished > 0) continue;
        journal.forget(event);
        count++;
      }
      return count;
    },
  };
}

const none = { pending: 0, sending: 0, delivered: 0, dead: 0, cancelled: 0 };

const fits = ({ event, webhook, status }: DeliveryEntry, selection: DeliverySelection): boolean =>
  isSelected({ eventId: event.id, eventType: event.type, webhookId: webhook.record.id, status }, selection);

/** An event's id begins with the millisecond it was made in; within one, events keep the order of publication. */
const timeOf = ({ id }: EventEntry): string => id.slice(4, 12);

function latestFirst(a: EventEntry, b: EventEntry): number {
  const [timeA, timeB] = [timeOf(a), timeOf(b)];
  return timeA === timeB ? b.order - a.order : timeA < timeB ? 1 : -1;
}

const placeOf = (event: EventEntry): string => timeOf(event) + padded(event.order);

const placeOfDelivery = ({ event, bindingId }: DeliveryEntry): string =>
  placeOf(event) +
  padded(
    event.deliveries.findIndex((delivery) => delivery.bindingId === bindingId),
    3,
  );

function deliveryOf(delivery: DeliveryEntry): Delivery {
  const { id, event, webhook, bindingId, channel, status, attempts, attemptsBeforeRetry, at } = delivery;
  return {
    id,
    tenantId: event.tenantId,
    eventId: event.id,
    eventType: event.type,
    webhookId: webhook.record.id,
    bindingId,
    channel,
    status,
    attempts,
    attemptsBeforeRetry,
    dueAt: status === 'pending' ? new Date(at) : null,
    createdAt: new Date(event.publishedAt),
    finishedAt: delivery.isFinished ? new Date(at) : null,
  };
}

function attemptOf(entry: AttemptEntry, deliveryId: string): Attempt {
  return { ...entry, deliveryId, startedAt: new Date(entry.startedAt) };
}

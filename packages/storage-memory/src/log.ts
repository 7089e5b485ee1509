import { type Attempt, type Delivery, type DeliveryLog, parseDeliveryId } from '@posthorn/core';
import { eventOf, type Queue } from './deliveries.js';
import type { AttemptEntry, DeliveryEntry, WebhookEntry } from './entries.js';
import type { Journal } from './journal.js';
import { pageOf } from './page.js';

export function deliveryLog(
  journal: Journal,
  queue: Queue,
  holdsWebhook: (webhook: WebhookEntry) => boolean,
  now: () => number,
): DeliveryLog {
  const { events } = journal;

  function find(tenantId: string, deliveryId: string): DeliveryEntry | undefined {
    const parts = parseDeliveryId(deliveryId);
    const event = parts && events.get(parts.eventId);
    if (event?.tenantId !== tenantId) return undefined;
    return event.deliveries.find(({ bindingId }) => bindingId === parts!.bindingId);
  }

  return {
    async events(tenantId, filter) {
      const one = filter.id === undefined ? undefined : events.get(filter.id);
      const some = filter.id === undefined ? [...events.values()].reverse() : one ? [one] : [];
      return pageOf(
        some.filter((event) => event.tenantId === tenantId && (filter.type ?? event.type) === event.type),
        filter,
        (event) => event.order,
        eventOf,
      );
    },

    async deliveries(tenantId, filter) {
      const { id, eventId = id && parseDeliveryId(id)?.eventId, webhookId, status } = filter;
      const one = eventId === undefined ? undefined : events.get(eventId);
      const some = one ? [one] : (id ?? eventId) ? [] : [...events.values()].reverse();
      const all = some
        .filter((event) => event.tenantId === tenantId)
        .flatMap((event) => event.deliveries.toReversed())
        .filter(
          (delivery) =>
            (id === undefined || delivery.id === id) &&
            (webhookId === undefined || delivery.webhook.record.id === webhookId) &&
            (status === undefined || status.includes(delivery.status)),
        );
      return pageOf(all, filter, orderOf, deliveryOf);
    },

    async attempts(tenantId, deliveryId) {
      return (find(tenantId, deliveryId)?.log ?? []).map((entry) => attemptOf(entry, deliveryId));
    },

    async setStatus(tenantId, deliveryIds, status) {
      return deliveryIds.filter((id) => {
        const delivery = find(tenantId, id);
        if (!delivery) return false;
        if (status === 'cancelled') {
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

const orderOf = ({ event, bindingId }: DeliveryEntry): number =>
  event.order + 1 + event.deliveries.findIndex((delivery) => delivery.bindingId === bindingId);

function deliveryOf(delivery: DeliveryEntry): Delivery {
  const { id, event, webhook, bindingId, channel, status, attempts, attemptsBefore, at } = delivery;
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
    attemptsBefore,
    dueAt: status === 'pending' ? new Date(at) : null,
    createdAt: new Date(event.publishedAt),
    finishedAt: delivery.isFinished ? new Date(at) : null,
  };
}

function attemptOf(entry: AttemptEntry, deliveryId: string): Attempt {
  return { ...entry, deliveryId, startedAt: new Date(entry.startedAt) };
}

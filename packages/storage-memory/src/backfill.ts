import { type DeliveryStore, firstBindings, isInRange, matchKeys } from '@posthorn/core/storage';
import { costOf } from './capacity.js';
import type { Queue } from './deliveries.js';
import type { EventEntry, WebhookEntry } from './entries.js';
import type { Journal } from './journal.js';
import type { WebhookTable } from './webhooks.js';

/** The maximum number of events that one call examines. */
const maxEvents = 1_000;

/** Creates the deliveries of stored events that their tenant's current webhooks match and that do not exist yet. */
export function backfiller(
  journal: Journal,
  queue: Queue,
  matching: WebhookTable['matching'],
): NonNullable<DeliveryStore['backfill']> {
  /** Returns the matching bindings that have no delivery of the event. */
  const missing = (event: EventEntry): [webhook: WebhookEntry, bindingId: string][] => {
    const has = new Set(event.deliveries.map(({ bindingId }) => bindingId));
    return matching(event.tenantId, matchKeys(event.type)).flatMap((webhook) =>
      firstBindings(webhook.record).flatMap(({ id }): [WebhookEntry, string][] =>
        has.has(id) ? [] : [[webhook, id]],
      ),
    );
  };

  return async (tenantId, selection, { limit, cursor, isDryRun = false }) => {
    const { eventType, webhookId } = selection;
    const range = { ...selection, ...(cursor !== null && { fromEventId: cursor }) };
    const events = [...journal.events.values()]
      .filter(
        ({ id, type, tenantId: owner }) =>
          owner === tenantId && isInRange(id, range) && (eventType ?? type) === type,
      )
      .sort((one, other) => (one.id < other.id ? -1 : 1));
    const wanted = (event: EventEntry) =>
      missing(event).filter(([{ record }]) => (webhookId ?? record.id) === record.id);
    const looked = events.slice(0, maxEvents);
    const next = events[maxEvents]?.id ?? null;
    if (isDryRun) {
      return { deliveries: looked.reduce((sum, event) => sum + wanted(event).length, 0), cursor: next };
    }
    const targets: {
      readonly event: EventEntry;
      readonly webhook: WebhookEntry;
      readonly bindingId: string;
    }[] = [];
    for (const event of looked) {
      targets.push(...wanted(event).map(([webhook, bindingId]) => ({ event, webhook, bindingId })));
      if (targets.length > limit) break;
    }
    const chosen = targets.slice(0, limit);
    if (chosen.length > 0) journal.makeRoom(chosen.length * costOf.delivery, 0);
    // Making room may have deleted the event itself.
    const made = chosen.filter(
      ({ event, webhook, bindingId }) =>
        journal.events.get(event.id) === event && queue.beginMissed(event, webhook, bindingId),
    );
    return { deliveries: made.length, cursor: targets[limit]?.event.id ?? next };
  };
}

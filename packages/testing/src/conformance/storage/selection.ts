import assert from 'node:assert/strict';
import type { Delivery, StorageAdapter } from '@posthorn/core';
import { deliveryStatusSchema } from '@posthorn/core/schemas';
import type { DeliveryCounts, DeliveryFilter, DeliveryLog, DeliverySelection } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { pagesOf } from './pages.js';
import {
  acme,
  claimAll,
  deliveriesOf,
  globex,
  idsOf,
  newBinding,
  newEventId,
  newEvents,
  newWebhook,
  oneDelivery,
  publish,
  result,
  settleAll,
} from './sample.js';

const statuses = deliveryStatusSchema.options;

/** All of acme's deliveries, newest first: of ten events of two types to two webhooks, two of each status. */
async function inEveryStatus(storage: StorageAdapter<unknown>): Promise<readonly Delivery[]> {
  await storage.webhooks.create(newWebhook({ tenantId: globex }));
  await publish(storage, ...newEvents(3, { tenantId: globex }));
  const keys = ['order.created', 'order.paid'];
  await storage.webhooks.create(newWebhook({ eventTypes: keys, channels: [newBinding(), newBinding()] }));
  await storage.webhooks.create(newWebhook({ eventTypes: keys }));
  const events = newEvents(10).map((event, i) => {
    const type = keys[i % 3 === 0 ? 1 : 0]!;
    return { ...event, type, keys: [type] };
  });
  const statusOf = (eventId: string) =>
    statuses[events.findIndex(({ id }) => id === eventId) % statuses.length];
  // One of each after the other, so that every range holds several; what stays pending comes last into the queue.
  await publish(storage, ...events.filter(({ id }) => statusOf(id) !== 'pending'));
  const claims = await claimAll(storage);
  await settleAll(
    storage,
    claims.flatMap((claimed) => {
      const status = statusOf(claimed.event.id);
      return status === 'delivered' || status === 'dead' || status === 'cancelled'
        ? [result(claimed, status)]
        : [];
    }),
  );
  await publish(storage, ...events.filter(({ id }) => statusOf(id) === 'pending'));
  const all = await deliveriesOf(storage);
  assert.equal(all.length, 30);
  for (const { eventId, status } of all) assert.equal(status, statusOf(eventId));
  return all;
}

type Selection = DeliverySelection & Pick<DeliveryFilter, 'id'>;

const isSelected = (delivery: Delivery, selection: Selection): boolean =>
  (selection.id ?? delivery.id) === delivery.id &&
  (selection.eventId ?? delivery.eventId) === delivery.eventId &&
  (selection.eventType ?? delivery.eventType) === delivery.eventType &&
  (selection.webhookId ?? delivery.webhookId) === delivery.webhookId &&
  (selection.status ?? statuses).includes(delivery.status) &&
  (selection.fromEventId ?? '') <= delivery.eventId &&
  delivery.eventId < (selection.beforeEventId ?? 'f');

/** Each field by itself, some together, and some that nothing fits. */
function selectionsOf(all: readonly Delivery[]): DeliverySelection[] {
  const ids = [...new Set(all.map(({ eventId }) => eventId))].sort();
  const [webhookId, other] = [...new Set(all.map((delivery) => delivery.webhookId))];
  const middle = { fromEventId: ids[2]!, beforeEventId: ids[8]! };
  return [
    {},
    { eventId: ids[1]! },
    { eventType: 'order.paid' },
    { webhookId: webhookId! },
    ...statuses.map((status) => ({ status: [status] })),
    { status: [...statuses] },
    { status: ['pending', 'dead', 'sending'] },
    { status: ['dead', 'cancelled'] },
    { status: ['delivered', 'cancelled'] },
    { fromEventId: ids[4]! },
    { beforeEventId: ids[4]! },
    middle,
    { ...middle, eventType: 'order.created' },
    { ...middle, eventId: ids[2]! },
    { ...middle, webhookId: other!, status: ['dead', 'pending', 'cancelled'] },
    { eventType: 'order.created', webhookId: other!, status: ['delivered', 'dead'] },
    { ...middle, eventType: 'order.created', webhookId: webhookId!, status: ['delivered', 'sending'] },
    { status: [] },
    { eventId: newEventId() },
    { ...middle, eventId: ids[8]! },
    { ...middle, eventId: ids[1]! },
    { eventType: 'order.*' },
    { eventType: 'order_paid' },
    { fromEventId: ids[8]!, beforeEventId: ids[2]! },
  ];
}

const named = (selection: object): string => JSON.stringify(selection);

const none: DeliveryCounts = { pending: 0, sending: 0, delivered: 0, dead: 0, cancelled: 0 };

function countsOf(deliveries: readonly Delivery[]): DeliveryCounts {
  const counts = { ...none };
  for (const { status } of deliveries) counts[status]++;
  return counts;
}

export const selectionRules: readonly StorageRule[] = topic<StorageUnderTest>('selection', {
  'deliveries are found by id, event, event type, webhook, status and range, and by all of them': async ({
    storage,
  }) => {
    const all = await inEveryStatus(storage);
    const { id, eventId, eventType, webhookId, status } = all[3]!;
    const byId: Selection[] = [
      { id },
      { id, eventId, eventType, webhookId, status: [status], fromEventId: eventId },
      { id, eventId: newEventId() },
      { id, eventId: all.at(-1)!.eventId },
      { id, eventType: eventType === 'order.paid' ? 'order.created' : 'order.paid' },
      { id, beforeEventId: eventId },
      { id, fromEventId: newEventId() },
      { id: `dlv_${'0'.repeat(32)}` },
    ];
    for (const selection of [...selectionsOf(all), ...byId]) {
      const expected = all.filter((delivery) => isSelected(delivery, selection));
      const found = await deliveriesOf(storage, acme, selection);
      assert.deepEqual(idsOf(found).sort(), idsOf(expected).sort(), named(selection));
    }
  },

  'a walk over the pages of a selection finds each once, in the order of the whole': async ({ storage }) => {
    const all = await inEveryStatus(storage);
    for (const selection of selectionsOf(all)) {
      const expected = all.filter((delivery) => isSelected(delivery, selection));
      for (const limit of [1, 4, 100]) {
        const pages = await pagesOf((page) => storage.log.deliveries(acme, { ...selection, ...page }), limit);
        assert.deepEqual(idsOf(pages.flat()), idsOf(expected), `${named(selection)} by ${limit}`);
        assert.equal(pages.length, Math.max(1, Math.ceil(expected.length / limit)), named(selection));
      }
    }
  },
});

type Counts = NonNullable<DeliveryLog['counts']>;

/** What the storage counts by itself. */
function countsIn({ log }: StorageAdapter<unknown>): Counts {
  ok(log.counts, 'the storage has no log.counts: skip the topic `counts`, and say why');
  return log.counts;
}

export const countsRules: readonly StorageRule[] = topic<StorageUnderTest>('counts', {
  'counts say how many of a selection stand where': async ({ storage }) => {
    const all = await inEveryStatus(storage);
    for (const selection of selectionsOf(all)) {
      const expected = all.filter((delivery) => isSelected(delivery, selection));
      same(await countsIn(storage)(acme, selection, []), [countsOf(expected)], named(selection));
    }
  },

  'counts are apart by the bounds, each of which begins a stretch': async ({ storage }) => {
    const all = await inEveryStatus(storage);
    const ids = [...new Set(all.map(({ eventId }) => eventId))].sort();
    const cases: string[][] = [
      [ids[0]!],
      [ids[3]!, ids[7]!],
      ids,
      // Two bounds with nothing between them, and such as no event has.
      [ids[3]!, ids[3]!, ids[5]!.slice(0, 12), newEventId()],
      [newEventId(), newEventId()],
    ];
    for (const bounds of cases) {
      for (const selection of selectionsOf(all)) {
        const expected = [...bounds, undefined].map((before, i) =>
          countsOf(
            all.filter(
              (delivery) =>
                isSelected(delivery, selection) &&
                (i === 0 || bounds[i - 1]! <= delivery.eventId) &&
                (before === undefined || delivery.eventId < before),
            ),
          ),
        );
        same(await countsIn(storage)(acme, selection, bounds), expected, `${named(selection)} at ${bounds}`);
      }
    }
  },

  'counts follow what becomes of a delivery': async ({ storage }) => {
    const { webhook, deliveryId } = await oneDelivery(storage);
    const counts = () => countsIn(storage)(acme, { webhookId: webhook.id }, []);
    same(await counts(), [{ ...none, pending: 1 }]);
    const [claimed] = await claimAll(storage);
    same(await counts(), [{ ...none, sending: 1 }]);
    await settleAll(storage, [result(claimed!, 'dead')]);
    same(await counts(), [{ ...none, dead: 1 }]);
    await storage.log.transition(acme, [deliveryId], 'pending');
    same(await counts(), [{ ...none, pending: 1 }]);
    await storage.webhooks.delete(acme, webhook.id);
    same(await counts(), [{ ...none, cancelled: 1 }]);
  },
});

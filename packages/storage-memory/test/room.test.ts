import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Attempt } from '@posthorn/core';
import { createIds, type NewEvent } from '@posthorn/core/storage';
import { expect, test } from 'vitest';
import { type MemoryStorage, memoryStorage } from '../src/index.js';
import { claim, eventIdsOf, newEvent, newWebhook, tenantId, textOf } from './sample.js';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');
const ids = createIds();

/** Claims the only due delivery, and lets it fail with a long response. It is due again at once. */
async function fail(storage: MemoryStorage): Promise<string> {
  const [claimed] = await claim(storage);
  const attempt: Attempt = {
    id: ids.attempt(),
    deliveryId: claimed!.deliveryId,
    number: claimed!.attempt,
    startedAt: new Date(),
    durationMs: 1,
    outcome: 'failed',
    kind: 'http_status',
    message: 'answered 500',
    status: 500,
    response: textOf(16_384),
  };
  await storage.deliveries.settle([{ claim: claimed!, next: { status: 'pending', delayMs: 0 }, attempt }]);
  return claimed!.deliveryId;
}

/** Publishes events that are finished at once, because no webhook matches them. */
async function publishFinished(
  storage: MemoryStorage,
  count: number,
  payload = textOf(1_000),
): Promise<NewEvent[]> {
  const events = Array.from({ length: count }, () => newEvent({ type: 'order.ignored', payload }));
  await storage.deliveries.publish(events);
  return events;
}

const toA = () => newWebhook({ eventTypes: ['a'] });

test('attempts that do not fit are stored without their message and response', async () => {
  const storage = memoryStorage({ maxBytes: 100_000 });
  await storage.webhooks.create(toA());
  await storage.deliveries.publish([newEvent()]);
  let deliveryId = '';
  for (let i = 0; i < 50; i++) deliveryId = await fail(storage);
  const attempts = await storage.log.attempts(tenantId, deliveryId);
  expect(attempts).toHaveLength(50);
  expect(attempts.filter(({ response }) => response !== null).length).toBeGreaterThan(3);
  expect(attempts.filter(({ response }) => response !== null).length).toBeLessThan(7);
  expect(attempts.at(-1)).toMatchObject({ number: 50, status: 500, message: null, response: null });
});

test('finished events are deleted before attempts lose their texts', async () => {
  const storage = memoryStorage({ maxBytes: 100_000 });
  await storage.webhooks.create(toA());
  await publishFinished(storage, 50);
  await storage.deliveries.publish([newEvent()]);
  let deliveryId = '';
  for (let i = 0; i < 5; i++) deliveryId = await fail(storage);
  const attempts = await storage.log.attempts(tenantId, deliveryId);
  expect(attempts.every(({ response }) => response !== null)).toBe(true);
  expect((await eventIdsOf(storage)).length).toBeLessThan(20);
});

test('a delivery that is cancelled and pruned while its webhook is paused is gone from memory', async () => {
  const storage = memoryStorage();
  const webhook = await storage.webhooks.create(toA());
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 300; i++) await storage.deliveries.publish([newEvent({ payload: textOf(100_000) })]);
  await storage.webhooks.update(tenantId, webhook.id, 1, { isActive: false });
  const { items } = await storage.log.deliveries(tenantId, { limit: 1_000 });
  expect(items).toHaveLength(300);
  const all = items.map(({ id }) => id);
  expect(await storage.log.transition(tenantId, all, 'cancelled')).toHaveLength(300);
  expect(await storage.log.prune({ olderThanMs: 0, limit: 1_000 })).toBe(300);
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(10_000_000);
});

test.each([
  ['tenantId', { tenantId: textOf(2_000) }],
  ['type', { type: textOf(2_000), matchingPatterns: [] }],
  ['namespaceId', { namespaceId: textOf(2_000) }],
  ['subject', { subject: { type: textOf(1_000), id: textOf(1_000) } }],
])('the text of %s counts towards maxBytes', async (_, details) => {
  const storage = memoryStorage({ maxBytes: 100_000 });
  await storage.deliveries.publish(Array.from({ length: 30 }, () => newEvent(details)));
  const many = Array.from({ length: 60 }, () => newEvent(details));
  await expect(storage.deliveries.publish(many)).rejects.toMatchObject({ code: 'storage_full' });
});

test('a publish that cannot fit deletes nothing', async () => {
  const storage = memoryStorage({ maxBytes: 100_000 });
  await publishFinished(storage, 50);
  const big = newEvent({ payload: textOf(100_000) });
  await expect(storage.deliveries.publish([big])).rejects.toMatchObject({ code: 'storage_full' });
  expect(await eventIdsOf(storage)).toHaveLength(50);
});

test('no more events are deleted than necessary', async () => {
  const storage = memoryStorage({ maxBytes: 100_000 });
  await publishFinished(storage, 50);
  for (let i = 0; i < 100; i++) await publishFinished(storage, 1);
  const full = await eventIdsOf(storage);
  await publishFinished(storage, 1);
  const after = await eventIdsOf(storage);
  expect(after).toHaveLength(full.length);
  expect(after.slice(1)).toEqual(full.slice(0, -1));
});

test('idempotency keys use at most a quarter: the oldest are deleted, and the newest stay', async () => {
  const storage = memoryStorage({ maxBytes: 100_000 });
  const keyed = (i: number) => newEvent({ idempotencyKey: `key ${i}`, fingerprint: String(i) });
  const events = Array.from({ length: 1_000 }, (_, i) => keyed(i));
  for (const event of events) await storage.deliveries.publish([event]);
  await storage.webhooks.create(newWebhook({ eventTypes: ['b'] }));
  await storage.deliveries.publish([newEvent({ type: 'b', payload: textOf(70_000) })]);
  const first = keyed(0);
  const { published } = await storage.deliveries.publish([first, keyed(999)]);
  expect(published.map(({ eventId }) => eventId)).toEqual([first.id, events[999]!.id]);
});

test('a repeated event gets its first result, even when it is deleted to make room', async () => {
  const storage = memoryStorage({ maxBytes: 100_000 });
  const [known] = await publishFinished(storage, 1);
  const big = newEvent({ payload: textOf(99_000) });
  const { published } = await storage.deliveries.publish([known!, big]);
  expect(published).toEqual([
    { eventId: known!.id, deliveries: 0 },
    { eventId: big.id, deliveries: 0 },
  ]);
  expect(await eventIdsOf(storage)).toEqual([big.id]);
});

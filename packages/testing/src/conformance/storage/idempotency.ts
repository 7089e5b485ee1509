import assert from 'node:assert/strict';
import type { NewEvent, PublishResult } from '@posthorn/core/storage';
import { rejectsWith, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claimAll,
  deliverAll,
  eventIdsOf,
  eventsOf,
  globex,
  hourMs,
  idsOf,
  minuteMs,
  newEvent,
  newWebhook,
  one,
  publish,
  sorted,
} from './sample.js';

const keyed = (idempotencyKey = 'order-1', overrides: Partial<NewEvent> = {}): NewEvent =>
  newEvent({ idempotencyKey, fingerprint: 'print', ...overrides });

async function publishOne({ storage }: StorageUnderTest, event: NewEvent): Promise<PublishResult> {
  return one((await storage.deliveries.publish([event])).published);
}

/** Keys that look alike, or have a meaning in a language or a database. */
const differentKeys = [
  'order-1',
  'Order-1',
  'order-1 ',
  'order_1',
  '%',
  "'; drop table events; --",
  '__proto__',
  'constructor',
  '\u00e9',
  'e\u0301',
  '📯',
  'k'.repeat(254),
  'k'.repeat(255),
];

export const idempotencyRules: readonly StorageRule[] = topic<StorageUnderTest>('idempotency', {
  'an event with a known key stores nothing and returns the first result': async (under) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    const first = keyed();
    const published = await publishOne(under, first);
    same(published, { eventId: first.id, deliveries: 1 });
    await storage.webhooks.create(newWebhook());
    same(await publishOne(under, keyed()), published);
    same(idsOf(await eventsOf(storage)), [first.id]);
    assert.equal((await claimAll(storage)).length, 1);
  },

  'a key of an event without deliveries is kept, too': async (under) => {
    const first = await publishOne(under, keyed());
    await under.storage.webhooks.create(newWebhook());
    same(await publishOne(under, keyed()), first);
    same(await claimAll(under.storage), []);
  },

  'a key with another fingerprint is refused, and nothing is stored': async (under) => {
    const first = keyed();
    await publishOne(under, first);
    await rejectsWith('idempotency_conflict', publishOne(under, keyed('order-1', { fingerprint: 'Print' })));
    same(idsOf(await eventsOf(under.storage)), [first.id]);
  },

  'each tenant has its own keys': async (under) => {
    await publishOne(under, keyed());
    const theirs = keyed('order-1', { tenantId: globex, fingerprint: 'another' });
    same(await publishOne(under, theirs), { eventId: theirs.id, deliveries: 0 });
    same(idsOf(await eventsOf(under.storage, globex)), [theirs.id]);
  },

  'two tenants may use one key in one call: each has its own event and result': async ({ storage }) => {
    for (const tenantId of [acme, globex]) await storage.webhooks.create(newWebhook({ tenantId }));
    const [ours, theirs] = [keyed(), keyed('order-1', { tenantId: globex })];
    const first = await storage.deliveries.publish([ours, theirs]);
    same(first.published, [
      { eventId: ours.id, deliveries: 1 },
      { eventId: theirs.id, deliveries: 1 },
    ]);
    same(idsOf(await eventsOf(storage, acme)), [ours.id]);
    same(idsOf(await eventsOf(storage, globex)), [theirs.id]);
    same(sorted(eventIdsOf(await claimAll(storage))), sorted([ours.id, theirs.id]));
    // Both are known, come in the other order, and one has another fingerprint.
    const again = [keyed('order-1', { tenantId: globex }), keyed()];
    same((await storage.deliveries.publish(again)).published, first.published.toReversed());
    const different = keyed('order-1', { tenantId: globex, fingerprint: 'another' });
    await rejectsWith('idempotency_conflict', storage.deliveries.publish([keyed(), different]));
  },

  'a key is kept for 24 hours': async (under) => {
    const { storage, advance } = under;
    await storage.webhooks.create(newWebhook());
    const first = await publishOne(under, keyed());
    await deliverAll(storage);
    await advance(24 * hourMs - minuteMs);
    same(await publishOne(under, keyed()), first);
    await rejectsWith('idempotency_conflict', publishOne(under, keyed('order-1', { fingerprint: 'new' })));
    same(await claimAll(storage), []);
  },

  'a key is kept for 24 hours even if its event may be pruned earlier': async (under) => {
    const { storage, advance } = under;
    await storage.webhooks.create(newWebhook());
    const first = await publishOne(under, keyed());
    await deliverAll(storage);
    await advance(hourMs);
    await storage.log.prune({ olderThanMs: minuteMs, limit: 100 });
    same(await publishOne(under, keyed()), first);
    same(await claimAll(storage), []);
  },

  'a repeated key in one call is one event': async (under) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    const first = keyed();
    const { published } = await storage.deliveries.publish([first, newEvent(), keyed()]);
    assert.equal(published.length, 3);
    same(published[2], { eventId: first.id, deliveries: 1 });
    same(published[0], published[2]);
    assert.equal((await eventsOf(storage)).length, 2);
    assert.equal((await claimAll(storage)).length, 2);
  },

  'a repeated key with another fingerprint in one call is refused, and nothing is stored': async ({
    storage,
  }) => {
    await storage.webhooks.create(newWebhook());
    const second = keyed('order-1', { fingerprint: 'another' });
    await rejectsWith('idempotency_conflict', storage.deliveries.publish([keyed(), newEvent(), second]));
    same(await eventsOf(storage), []);
    same(await claimAll(storage), []);
  },

  'keys are compared character by character': async (under) => {
    for (const key of differentKeys) {
      const event = keyed(key, { fingerprint: key });
      same(await publishOne(under, event), { eventId: event.id, deliveries: 0 }, `first use of ${key}`);
    }
    assert.equal((await eventsOf(under.storage)).length, differentKeys.length);
  },

  'events without a key are never the same': async ({ storage }) => {
    await publish(storage, newEvent(), newEvent());
    await publish(storage, newEvent());
    assert.equal((await eventsOf(storage)).length, 3);
  },

  'an event whose second publication failed leaves its key with the first one': async (under) => {
    const first = await publishOne(under, keyed());
    await rejectsWith('idempotency_conflict', publishOne(under, keyed('order-1', { fingerprint: 'x' })));
    same(await publishOne(under, keyed()), first);
  },
});

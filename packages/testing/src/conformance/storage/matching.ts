import assert from 'node:assert/strict';
import { matches } from '@posthorn/core';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { acme, claimAll, deliveriesOf, globex, newEvent, newWebhook, one, publish } from './sample.js';

const types = [
  'order',
  'order.created',
  'order.created.batch',
  'order.deleted',
  'invoice.created',
  'Order.created',
  'order_created',
  'order-created',
  'a.b.c.d.e.f',
  '__proto__',
  'constructor',
  'toString.hasOwnProperty',
  'x'.repeat(128),
];

const patterns = [
  ...types,
  '*',
  'order.*',
  '*.created',
  'order.*.batch',
  '*.*',
  '*.*.*.*.*.*',
  'a.*.c.*.e.*',
  'orde_.created',
  '__proto__.*',
  'constructor.*',
];

/** Returns how many deliveries an event of this type gets now. */
async function deliveriesFor({ storage }: StorageUnderTest, type = 'order.created'): Promise<number> {
  return one((await storage.deliveries.publish([newEvent({ type })])).published).deliveries;
}

export const matchingRules: readonly StorageRule[] = topic<StorageUnderTest>('matching', {
  'a webhook gets the events whose keys it has, and no others': async ({ storage }) => {
    const webhooks = await Promise.all(
      patterns.map((pattern) => storage.webhooks.create(newWebhook({ eventTypes: [pattern] }))),
    );
    for (const type of types) {
      const event = newEvent({ type });
      await publish(storage, event);
      const deliveries = await deliveriesOf(storage, acme, { eventId: event.id });
      const reached = new Set(deliveries.map(({ webhookId }) => webhookId));
      const matched = patterns.filter((_, i) => reached.has(webhooks[i]!.id));
      assert.deepEqual(
        matched,
        patterns.filter((pattern) => matches(pattern, type)),
        `the patterns that match ${type}`,
      );
      assert.equal(deliveries.length, matched.length);
    }
  },

  'a webhook that matches by several patterns gets the event once': async (under) => {
    await under.storage.webhooks.create(
      newWebhook({ eventTypes: ['order.created', 'order.*', '*', '*.created', 'order.created'] }),
    );
    assert.equal(await deliveriesFor(under), 1);
    assert.equal((await deliveriesOf(under.storage)).length, 1);
    assert.equal((await claimAll(under.storage)).length, 1);
  },

  'a paused webhook gets no new deliveries until it is active again': async (under) => {
    const { storage } = under;
    const { id } = await storage.webhooks.create(newWebhook({ isActive: false }));
    assert.equal(await deliveriesFor(under), 0);
    await storage.webhooks.update(acme, id, 1, { isActive: true });
    same(await claimAll(storage), []);
    assert.equal(await deliveriesFor(under), 1);
    await storage.webhooks.update(acme, id, 2, { isActive: false });
    assert.equal(await deliveriesFor(under), 0);
  },

  'a change of the event types applies to the next event': async (under) => {
    const { storage } = under;
    const { id } = await storage.webhooks.create(newWebhook({ eventTypes: ['order.*', 'invoice.*'] }));
    await storage.webhooks.update(acme, id, 1, { eventTypes: ['invoice.*', 'refund.made'] });
    assert.equal(await deliveriesFor(under, 'order.created'), 0);
    assert.equal(await deliveriesFor(under, 'invoice.paid'), 1);
    assert.equal(await deliveriesFor(under, 'refund.made'), 1);
  },

  'a deleted webhook matches nothing': async (under) => {
    const { storage } = under;
    const gone = await storage.webhooks.create(newWebhook());
    await storage.webhooks.create(newWebhook());
    await storage.webhooks.delete(acme, gone.id);
    assert.equal(await deliveriesFor(under), 1);
  },

  'an event reaches only webhooks of its own tenant': async (under) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook({ eventTypes: ['*'] }));
    await storage.webhooks.create(newWebhook({ eventTypes: ['*', 'order.created'], tenantId: globex }));
    assert.equal(await deliveriesFor(under), 1);
    same(await deliveriesOf(storage, globex), []);
    const claimed = one(await claimAll(storage));
    assert.equal(claimed.webhook.tenantId, acme);
  },
});

import assert from 'node:assert/strict';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  deliveriesOf,
  deliveryOf,
  hourMs,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  release,
  result,
  settleAll,
} from './sample.js';

const pause = ({ storage }: StorageUnderTest, id: string, version = 1): Promise<unknown> =>
  storage.webhooks.update(acme, id, version, { isActive: false });
const resume = ({ storage }: StorageUnderTest, id: string, version = 2): Promise<unknown> =>
  storage.webhooks.update(acme, id, version, { isActive: true });

export const pauseRules: readonly StorageRule[] = topic<StorageUnderTest>('pause', {
  'pending deliveries wait while their webhook is paused, and go when it is active again': async (under) => {
    const { storage, advance } = under;
    const { webhook, deliveryId } = await oneDelivery(storage);
    await pause(under, webhook.id);
    same(await claim(storage), []);
    await advance(100 * hourMs);
    same(await claim(storage), []);
    assert.equal((await deliveryOf(storage, deliveryId)).status, 'pending');
    await resume(under, webhook.id);
    assert.equal(one(await claim(storage)).attempt, 1);
  },

  'everything that came due meanwhile goes then, in order': async (under) => {
    const { storage, advance } = under;
    const webhook = await storage.webhooks.create(newWebhook());
    const events = newEvents(3);
    for (const event of events) {
      await publish(storage, event);
      await advance(hourMs);
    }
    const failed = one(await claim(storage, { limit: 1 }));
    await storage.deliveries.settle([result(failed, { status: 'pending', delayMs: hourMs })]);
    await pause(under, webhook.id);
    await advance(2 * hourMs);
    same(await claim(storage), []);
    await resume(under, webhook.id);
    for (const i of [1, 2, 0]) {
      assert.equal(one(await claim(storage, { limit: 1 })).event.id, events[i]!.id);
    }
  },

  'a paused webhook does not delay others': async (under) => {
    const { storage } = under;
    const { webhook } = await oneDelivery(storage);
    await publish(storage, ...newEvents(50));
    await pause(under, webhook.id);
    await storage.webhooks.create(newWebhook({ eventTypes: ['invoice.paid'] }));
    const invoice = newEvent({ type: 'invoice.paid' });
    await publish(storage, invoice);
    assert.equal(one(await claim(storage, { limit: 2 })).event.id, invoice.id);
  },

  'a delivery in flight when its webhook is paused can be renewed and settled': async (under) => {
    const { storage } = under;
    const { webhook, deliveryId } = await oneDelivery(storage);
    const claimed = one(await claim(storage));
    await pause(under, webhook.id);
    assert.equal((await storage.deliveries.renew([claimed], hourMs)).length, 1);
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [true]);
    assert.equal((await deliveryOf(storage, deliveryId)).status, 'delivered');
  },

  'a delivery that is retried or released while its webhook is paused waits': async (under) => {
    const { storage, advance } = under;
    const webhook = await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(2));
    const [retried, released] = await claimAll(storage);
    await pause(under, webhook.id);
    await storage.deliveries.settle([
      result(retried!, { status: 'pending', delayMs: hourMs }),
      release(released!),
    ]);
    await advance(hourMs);
    same(await claim(storage), []);
    await resume(under, webhook.id);
    assert.equal((await claimAll(storage)).length, 2);
  },

  'a delivery that begins while its webhook is paused waits, and goes when it is active again': async (
    under,
  ) => {
    const { storage, advance } = under;
    const first = newBinding();
    const second = newBinding({ onlyAfter: { channel: first.id, failedAttempts: 1 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [first, second] }));
    await publish(storage, newEvent());
    const claimed = one(await claim(storage));
    await pause(under, webhook.id);
    await settleAll(storage, [{ ...result(claimed, 'dead'), escalateTo: [second.id] }]);
    same(await claim(storage), []);
    await advance(100 * hourMs);
    same(await claim(storage), []);
    const [waiting] = await deliveriesOf(storage, acme, { status: ['pending'] });
    assert.equal(waiting?.bindingId, second.id);
    await resume(under, webhook.id);
    const begun = one(await claim(storage));
    assert.deepEqual([begun.deliveryId, begun.attempt], [waiting?.id, 1]);
    await settleAll(storage, [result(begun, 'delivered')]);
  },

  'an abandoned delivery is not taken over while its webhook is paused': async (under) => {
    const { storage, advance } = under;
    const { webhook } = await oneDelivery(storage);
    await claim(storage);
    await pause(under, webhook.id);
    await advance(2 * hourMs);
    same(await claim(storage), []);
    await resume(under, webhook.id);
    assert.equal(one(await claim(storage)).attempt, 2);
  },
});

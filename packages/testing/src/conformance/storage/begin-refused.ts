import assert from 'node:assert/strict';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  deliveryOf,
  hourMs,
  minuteMs,
  newBinding,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  release,
  result,
  settleAll,
  take,
} from './sample.js';

/** Claims that may not begin, or may not begin twice. */
export const beginRefusedRules: readonly StorageRule[] = topic<StorageUnderTest>('begin', {
  'a token begins only the delivery that it was issued for': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(2));
    const [first, second] = await take(storage);
    const forged = { ...first!, token: second!.token };
    same((await storage.deliveries.begin([forged], 0)).begun, []);
    for (const { deliveryId } of [first!, second!]) {
      assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
    }
  },

  'beginning the same claim a second time counts nothing': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claims = await take(storage);
    for (let calls = 0; calls < 3; calls++) {
      assert.equal((await storage.deliveries.begin(claims, 0)).begun.length, 1);
    }
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1);
    await settleAll(storage, [release(one(claims))]);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
  },

  'nothing begins on a lease that has expired, or is about to': async ({ storage, advance }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claims = await take(storage, { leaseMs: hourMs });
    await advance(hourMs - 10 * minuteMs);
    same((await storage.deliveries.begin(claims, 20 * minuteMs)).begun, []);
    await advance(10 * minuteMs);
    same((await storage.deliveries.begin(claims, 0)).begun, []);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
    await storage.deliveries.renew(claims, hourMs);
    assert.equal((await storage.deliveries.begin(claims, 20 * minuteMs)).begun.length, 1);
  },

  'nothing begins with the token of a delivery that was taken over, settled, cancelled or deleted': async (
    under,
  ) => {
    const { storage, advance } = under;
    const webhook = await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(4));
    const [lost, ...others] = await take(storage, { leaseMs: 4 * hourMs });
    await storage.deliveries.renew([lost!], hourMs);
    await advance(hourMs);
    const taken = one(await take(storage));
    same((await storage.deliveries.begin([lost!], 0)).begun, []);
    const [settled, cancelled, deleted] = others;
    await settleAll(storage, [result(settled!, 'delivered')]);
    await storage.log.transition(acme, [cancelled!.deliveryId], 'cancelled');
    same((await storage.deliveries.begin([settled!, cancelled!], 0)).begun, []);
    await storage.webhooks.delete(acme, webhook.id);
    same((await storage.deliveries.begin([deleted!, taken], 0)).begun, []);
    assert.equal((await deliveryOf(storage, taken.deliveryId)).attempts, 0);
  },

  'of many claims in one call, those begin that may, in order': async ({ storage }) => {
    await storage.webhooks.create(newWebhook({ channels: [newBinding(), newBinding()] }));
    await publish(storage, ...newEvents(75));
    const claims = await take(storage, { limit: 150, webhookLimit: 150 });
    const gone = claims.filter((_, i) => i % 3 === 0);
    await storage.log.transition(
      acme,
      gone.map(({ deliveryId }) => deliveryId),
      'cancelled',
    );
    const { begun } = await storage.deliveries.begin(claims, minuteMs);
    same(
      begun.map(({ token }) => token),
      claims.filter((_, i) => i % 3 !== 0).map(({ token }) => token),
    );
  },
});

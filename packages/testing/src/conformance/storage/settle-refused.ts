import assert from 'node:assert/strict';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  deliveryOf,
  hourMs,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  release,
  result,
} from './sample.js';
import { attemptsOf, refuses } from './settle-sample.js';

/** Results whose token is not valid. */
export const settleRefusedRules: readonly StorageRule[] = topic<StorageUnderTest>('settle', {
  'the token of a released, retried or finished delivery is invalid': async (under) => {
    await under.storage.webhooks.create(newWebhook());
    await publish(under.storage, ...newEvents(5));
    const [released, retried, delivered, dead, cancelled] = await claimAll(under.storage);
    await under.storage.deliveries.settle([
      release(released!),
      result(retried!, { status: 'pending', delayMs: hourMs }),
      result(delivered!, 'delivered'),
      result(dead!, 'dead'),
      result(cancelled!, 'cancelled'),
    ]);
    for (const stale of [released, retried, delivered, dead, cancelled]) await refuses(under, stale!);
  },

  'a token that was taken over is refused, and writes nothing': async (under) => {
    const { storage, advance } = under;
    const { deliveryId } = await oneDelivery(storage);
    const lost = one(await claim(storage));
    await advance(hourMs);
    const taken = one(await claim(storage));
    await refuses(under, lost);
    same(await storage.deliveries.settle([result(taken, 'delivered')]), [true]);
    await refuses(under, lost);
    assert.equal((await attemptsOf(under, deliveryId)).length, 1);
  },

  'a token that another claim invalidated is refused, even after a release': async (under) => {
    const { storage, advance } = under;
    await oneDelivery(storage);
    const lost = one(await claim(storage));
    await advance(hourMs);
    await storage.deliveries.settle([release(one(await claim(storage)))]);
    await refuses(under, lost);
  },

  'a token is valid for its own delivery only': async (under) => {
    await under.storage.webhooks.create(newWebhook());
    await publish(under.storage, ...newEvents(2));
    const [mine, other] = await claimAll(under.storage);
    await refuses(under, { ...mine!, token: other!.token });
    await refuses(under, { ...mine!, token: '' });
    await refuses(under, { ...mine!, token: 'no-token' });
    same(await under.storage.deliveries.settle([result(mine!, 'delivered'), result(other!, 'dead')]), [
      true,
      true,
    ]);
  },

  'an unknown delivery is refused': async ({ storage }) => {
    await oneDelivery(storage);
    const claimed = one(await claim(storage));
    const nowhere = { ...claimed, deliveryId: `dlv_${'0'.repeat(32)}` };
    same(await storage.deliveries.settle([result(nowhere, 'delivered')]), [false]);
    same(await storage.log.attempts(acme, nowhere.deliveryId), []);
    same(await storage.deliveries.settle([]), []);
  },

  'the same claim twice in a batch is written once': async (under) => {
    const { deliveryId } = await oneDelivery(under.storage);
    const claimed = one(await claim(under.storage));
    const twice = [result(claimed, 'delivered'), result(claimed, 'dead')];
    same(await under.storage.deliveries.settle(twice), [true, false]);
    assert.equal((await deliveryOf(under.storage, deliveryId)).status, 'delivered');
    same(await attemptsOf(under, deliveryId), [twice[0]!.attempt]);
  },
});

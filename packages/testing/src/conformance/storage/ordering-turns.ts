import assert from 'node:assert/strict';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import { chain, claimOf, deliver, goInOrder, keyed, retryIn } from './chain-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  deliveriesOf,
  deliveryOf,
  eventIdsOf,
  hourMs,
  newWebhook,
  one,
  publish,
  release,
  result,
  settleAll,
  sorted,
} from './sample.js';

/** When a delivery holds back the next one of its key, and when it lets it go. */
export const orderingTurnRules: readonly StorageRule[] = topic<StorageUnderTest>('ordering', {
  'nothing overtakes a delivery that waits for its retry': async (under) => {
    const { storage, advance } = under;
    const [first, second] = await chain(under, 3);
    await storage.deliveries.settle([retryIn(await claimOf(storage, first), 2 * hourMs)]);
    await advance(hourMs);
    same(await claim(storage), []);
    await advance(hourMs);
    await deliver(storage, await claimOf(storage, first));
    await claimOf(storage, second);
  },

  'nothing overtakes a delivery whose lease has expired': async (under) => {
    const { storage, advance } = under;
    const [first, second] = await chain(under, 2);
    one(await claim(storage, { leaseMs: hourMs }));
    await advance(hourMs);
    const again = await claimOf(storage, first);
    assert.equal(again.attempt, 2);
    same(await claim(storage), []);
    await deliver(storage, again);
    await claimOf(storage, second);
  },

  'a result after the end of its lease lets the next one go': async (under) => {
    const { storage, advance } = under;
    const [, second] = await chain(under, 2);
    const claimed = one(await claim(storage));
    await advance(2 * hourMs);
    await deliver(storage, claimed);
    await claimOf(storage, second);
  },

  'a dead or cancelled delivery lets the next one go': async (under) => {
    const { storage } = under;
    const [first, second, third, fourth] = await chain(under, 4);
    await settleAll(storage, [result(await claimOf(storage, first), 'dead')]);
    await settleAll(storage, [result(await claimOf(storage, second), 'cancelled')]);
    const claimed = await claimOf(storage, third);
    assert.equal((await storage.log.transition(acme, [claimed.deliveryId], 'cancelled')).length, 1);
    await claimOf(storage, fourth);
  },

  'cancelling a delivery that waits for its retry lets the next one go; cancelling one behind it does not':
    async (under) => {
      const { storage } = under;
      const [first, second, third] = await chain(under, 3);
      const claimed = await claimOf(storage, first);
      await settleAll(storage, [retryIn(claimed, 10 * hourMs)]);
      const behind = one(await deliveriesOf(storage, acme, { eventId: second!.id }));
      await storage.log.transition(acme, [behind.id], 'cancelled');
      same(await claim(storage), []);
      await storage.log.transition(acme, [claimed.deliveryId], 'cancelled');
      await claimOf(storage, third);
    },

  'a released delivery keeps its place': async (under) => {
    const { storage } = under;
    const events = await chain(under, 3);
    await settleAll(storage, [release(await claimOf(storage, events[0]))]);
    await goInOrder(storage, events);
  },

  'a delivery that yields lets the next one go, and two are never in flight': async (under) => {
    const { storage, advance } = under;
    const [first, second, third] = await chain(under, 3);
    await settleAll(storage, [retryIn(await claimOf(storage, first), hourMs, true)]);
    const passing = await claimOf(storage, second);
    await advance(hourMs);
    same(await claim(storage), []);
    await deliver(storage, passing);
    const claims = [one(await claim(storage))];
    same(await claim(storage), []);
    await deliver(storage, claims[0]!);
    claims.push(one(await claim(storage)));
    assert.deepEqual(sorted(eventIdsOf(claims)), sorted([first!.id, third!.id]));
  },

  'a delivery that was released while another overtook it continues later': async (under) => {
    const { storage } = under;
    const [first, second] = await chain(under, 2);
    await settleAll(storage, [retryIn(await claimOf(storage, first), 0, true)]);
    const claimed = one(await claim(storage));
    same(await claim(storage), []);
    await settleAll(storage, [release(claimed)]);
    const order = [one(await claim(storage))];
    await deliver(storage, order[0]!);
    order.push(one(await claim(storage)));
    await deliver(storage, order[1]!);
    assert.deepEqual(sorted(eventIdsOf(order)), sorted([first!.id, second!.id]));
  },

  'a manual retry yields: the deliveries behind it do not wait for it again': async (under) => {
    const { storage } = under;
    const [first, second] = await chain(under, 2);
    const claimed = await claimOf(storage, first);
    await settleAll(storage, [result(claimed, 'dead')]);
    await storage.log.transition(acme, [claimed.deliveryId], 'pending');
    const retried = one(await claim(storage));
    same(await claim(storage), []);
    await settleAll(storage, [retryIn(retried, 10 * hourMs)]);
    const next = one(await claim(storage));
    assert.deepEqual(sorted([retried.event.id, next.event.id]), sorted([first!.id, second!.id]));
  },

  'a manual retry of a waiting delivery goes at once, and then lets the next one go': async (under) => {
    const { storage } = under;
    const [first, second] = await chain(under, 2);
    const claimed = await claimOf(storage, first);
    await settleAll(storage, [retryIn(claimed, 10 * hourMs)]);
    await storage.log.transition(acme, [claimed.deliveryId], 'pending');
    const order = [one(await claim(storage))];
    same(await claim(storage), []);
    await settleAll(storage, [retryIn(order[0]!, 10 * hourMs)]);
    if (order[0]!.event.id === first!.id) order.push(await claimOf(storage, second));
    assert.equal((await deliveryOf(storage, claimed.deliveryId)).status === 'dead', false);
  },

  'a paused webhook continues in order': async (under) => {
    const { storage } = under;
    const webhook = await storage.webhooks.create(newWebhook());
    const events = keyed(3);
    await publish(storage, ...events);
    await storage.webhooks.update(acme, webhook.id, 1, { isActive: false });
    same(await claim(storage), []);
    await storage.webhooks.update(acme, webhook.id, 2, { isActive: true });
    await goInOrder(storage, events);
  },

  "deliveries behind a deleted webhook's are cancelled with it": async (under) => {
    const { storage } = under;
    await chain(under, 3);
    const { webhook } = one(await claim(storage));
    await storage.webhooks.delete(acme, webhook.id);
    same(await claim(storage), []);
    for (const { status } of await deliveriesOf(storage)) assert.equal(status, 'cancelled');
  },
});

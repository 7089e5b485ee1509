import assert from 'node:assert/strict';
import type { Delivery } from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  deliveriesOf,
  deliveryOf,
  globex,
  hourMs,
  minuteMs,
  newBinding,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  result,
  settleAll,
  sorted,
} from './sample.js';

const nowhere = `dlv_${'0'.repeat(32)}`;

/** One delivery in each status, by status. */
async function inEachStatus({ storage }: StorageUnderTest): Promise<Map<string, Delivery>> {
  await storage.webhooks.create(newWebhook());
  await publish(storage, ...newEvents(4));
  const [delivered, dead, cancelled] = await claimAll(storage);
  await storage.deliveries.settle([
    result(delivered!, 'delivered'),
    result(dead!, 'dead'),
    result(cancelled!, 'cancelled'),
  ]);
  await publish(storage, ...newEvents(1));
  return new Map((await deliveriesOf(storage)).map((delivery) => [delivery.status, delivery]));
}

export const statusRules: readonly StorageRule[] = topic<StorageUnderTest>('transition', {
  'pending makes what is finished or waiting due at once, and leaves what is sending': async (under) => {
    const { storage, advance } = under;
    const before = await inEachStatus(under);
    assert.equal(before.size, 5);
    await advance(minuteMs);
    const all = [...before.values()].map(({ id }) => id);
    const sending = before.get('sending')!;
    const movable = all.filter((id) => id !== sending.id);
    assert.deepEqual(sorted(await storage.log.transition(acme, all, 'pending')), sorted(movable));
    same(await deliveryOf(storage, sending.id), sending);
    for (const [status, old] of before) {
      if (status === 'sending') continue;
      const now = await deliveryOf(storage, old.id);
      same(now, {
        ...old,
        status: 'pending',
        attemptsBeforeRetry: old.attempts,
        dueAt: now.dueAt,
        finishedAt: null,
      });
      ok(now.dueAt, `${status} is due`);
    }
    const claims = await claimAll(storage);
    assert.deepEqual(sorted(claims.map(({ deliveryId }) => deliveryId)), sorted(movable));
  },

  'pending starts a new schedule: the attempt goes on counting, attemptsBeforeRetry says from where': async (
    under,
  ) => {
    const { storage } = under;
    const { deliveryId } = await oneDelivery(storage);
    for (let i = 0; i < 3; i++) {
      const claimed = one(await claim(storage));
      await storage.deliveries.settle([result(claimed, i < 2 ? { status: 'pending', delayMs: 0 } : 'dead')]);
    }
    await storage.log.transition(acme, [deliveryId], 'pending');
    const retried = one(await claim(storage));
    assert.deepEqual([retried.attempt, retried.attemptsBeforeRetry], [4, 3]);
    await storage.deliveries.settle([result(retried, { status: 'pending', delayMs: 0 })]);
    const next = one(await claim(storage));
    assert.deepEqual([next.attempt, next.attemptsBeforeRetry], [5, 3]);
    await storage.deliveries.settle([result(next, 'delivered')]);
    await storage.log.transition(acme, [deliveryId], 'pending');
    const again = one(await claim(storage));
    assert.deepEqual([again.attempt, again.attemptsBeforeRetry], [6, 5]);
    const numbers = (await storage.log.attempts(acme, deliveryId)).map(({ number }) => number);
    assert.deepEqual(numbers, [1, 2, 3, 4, 5]);
  },

  'a retry that waits need not wait any longer': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claimed = one(await claim(storage));
    await storage.deliveries.settle([result(claimed, { status: 'pending', delayMs: 100 * hourMs })]);
    same(await storage.log.transition(acme, [deliveryId], 'pending'), [deliveryId]);
    assert.equal(one(await claim(storage)).attempt, 2);
    same(await claim(storage), []);
  },

  'pending is due from the instant it was asked for, whatever it waited for before': async (under) => {
    const { storage, advance } = under;
    const { createdAt } = await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(4));
    const [waiting, dead, delivered] = await claimAll(storage);
    await settleAll(storage, [
      result(waiting!, { status: 'pending', delayMs: 100 * hourMs }),
      result(dead!, 'dead'),
      result(delivered!, 'delivered'),
    ]);
    await publish(storage, ...newEvents(1));
    await advance(hourMs);
    const before = await deliveriesOf(storage, acme, { status: ['pending', 'dead', 'delivered'] });
    assert.equal(before.length, 4);
    await storage.log.transition(
      acme,
      before.map(({ id }) => id),
      'pending',
    );
    for (const { id, status } of before) {
      const { dueAt } = await deliveryOf(storage, id);
      const after = dueAt ? dueAt.getTime() - createdAt.getTime() : Number.NaN;
      ok(after >= hourMs && after < hourMs + minuteMs, `${status} before, and due after ${after} ms`);
    }
  },

  'pending twice is one delivery still': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    await storage.log.transition(acme, [deliveryId], 'pending');
    await storage.log.transition(acme, [deliveryId, deliveryId], 'pending');
    assert.equal((await claimAll(storage)).length, 1);
  },

  'pending moves nothing whose webhook is deleted': async (under) => {
    const { storage } = under;
    const all = [...(await inEachStatus(under)).values()];
    await storage.webhooks.delete(acme, all[0]!.webhookId);
    const before = await deliveriesOf(storage);
    same(
      await storage.log.transition(
        acme,
        all.map(({ id }) => id),
        'pending',
      ),
      [],
    );
    same(await deliveriesOf(storage), before);
    same(await claimAll(storage), []);
  },

  'pending waits where the webhook is paused': async ({ storage }) => {
    const { webhook, deliveryId } = await oneDelivery(storage);
    await storage.deliveries.settle([result(one(await claim(storage)), 'dead')]);
    await storage.webhooks.update(acme, webhook.id, 1, { isActive: false });
    same(await storage.log.transition(acme, [deliveryId], 'pending'), [deliveryId]);
    same(await claim(storage), []);
    await storage.webhooks.update(acme, webhook.id, 2, { isActive: true });
    assert.equal(one(await claim(storage)).deliveryId, deliveryId);
  },

  'pending also for a binding that was dropped': async ({ storage }) => {
    const { webhook, deliveryId } = await oneDelivery(storage);
    await storage.deliveries.settle([result(one(await claim(storage)), 'dead')]);
    await storage.webhooks.update(acme, webhook.id, 1, { channels: [newBinding()] });
    same(await storage.log.transition(acme, [deliveryId], 'pending'), [deliveryId]);
    assert.equal(one(await claim(storage)).binding, undefined);
  },

  'cancelled ends what is not finished, and leaves what is': async (under) => {
    const { storage, advance } = under;
    const before = await inEachStatus(under);
    await advance(minuteMs);
    const unfinished = [before.get('pending')!, before.get('sending')!];
    const all = [...before.values()].map(({ id }) => id);
    const moved = await storage.log.transition(acme, all, 'cancelled');
    assert.deepEqual(sorted(moved), sorted(unfinished.map(({ id }) => id)));
    for (const old of before.values()) {
      const now = await deliveryOf(storage, old.id);
      if (!unfinished.includes(old)) same(now, old);
      else same(now, { ...old, status: 'cancelled', dueAt: null, finishedAt: now.finishedAt });
      ok(now.finishedAt, `finishedAt of ${old.status} is null`);
    }
    await advance(100 * hourMs);
    same(await claimAll(storage), []);
  },

  'cancelled voids the token of what is sending, also after a retry': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claimed = one(await claim(storage));
    await storage.log.transition(acme, [deliveryId], 'cancelled');
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [false]);
    same(await storage.deliveries.renew([claimed], hourMs), []);
    await storage.log.transition(acme, [deliveryId], 'pending');
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [false]);
    same(await storage.log.attempts(acme, deliveryId), []);
    const { status, attempts, attemptsBeforeRetry } = await deliveryOf(storage, deliveryId);
    assert.deepEqual([status, attempts, attemptsBeforeRetry], ['pending', 1, 1]);
  },

  'cancelled ends what waits for a paused webhook': async ({ storage }) => {
    const { webhook, deliveryId } = await oneDelivery(storage);
    await storage.webhooks.update(acme, webhook.id, 1, { isActive: false });
    same(await storage.log.transition(acme, [deliveryId], 'cancelled'), [deliveryId]);
    await storage.webhooks.update(acme, webhook.id, 2, { isActive: true });
    same(await claim(storage), []);
  },

  'ids that do not exist, or belong to another tenant, do not move': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    await storage.webhooks.create(newWebhook({ tenantId: globex }));
    await publish(storage, ...newEvents(1, { tenantId: globex }));
    const theirs = one(await deliveriesOf(storage, globex));
    for (const status of ['pending', 'cancelled'] as const) {
      same(await storage.log.transition(acme, [nowhere, theirs.id, deliveryId], status), [deliveryId]);
      same(await storage.log.transition(acme, [], status), []);
    }
    same(await deliveriesOf(storage, globex), [theirs]);
  },

  'one call takes 300 ids': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(300));
    const ids = (await deliveriesOf(storage)).map(({ id }) => id);
    assert.deepEqual(sorted(await storage.log.transition(acme, ids, 'cancelled')), sorted(ids));
    assert.deepEqual(sorted(await storage.log.transition(acme, ids, 'pending')), sorted(ids));
    assert.equal((await claimAll(storage, { webhookLimit: 300 })).length, 300);
  },
});

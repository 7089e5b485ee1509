import assert from 'node:assert/strict';
import type { StorageAdapter } from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import { digestOf, gathering, idsIn } from './digest-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  deliverAll,
  deliveriesOf,
  deliveryOf,
  globex,
  hourMs,
  idsOf,
  newEvent,
  newEvents,
  newWebhook,
  one,
  publish,
  result,
  settleAll,
  sorted,
} from './sample.js';
import { eventsClaimed, waiting } from './waiting.js';

const hasten = (
  storage: StorageAdapter<unknown>,
  ids: readonly string[],
  tenantId = acme,
): Promise<readonly string[]> => storage.log.transition(tenantId, ids, 'due');

/** What waits for its next attempt, and is to have it now. */
export const transitionDueRules: readonly StorageRule[] = topic<StorageUnderTest>('transition', {
  'due makes what waits due at once, and changes nothing else of it': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, newEvent());
    const id = await waiting(storage);
    const before = await deliveryOf(storage, id);
    same(await claim(storage), []);
    same(await hasten(storage, [id]), [id]);
    const after = await deliveryOf(storage, id);
    ok(after.dueAt! < before.dueAt!, 'it is due sooner');
    same({ ...after, dueAt: null }, { ...before, dueAt: null });
    same(await hasten(storage, [id]), [id]);
    const claimed = one(await claim(storage));
    same([claimed.deliveryId, claimed.attempt, claimed.attemptsBeforeRetry], [id, 2, 0]);
  },

  'due leaves alone what is being sent or is finished, and all of another tenant': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, newEvent());
    await deliverAll(storage);
    await publish(storage, newEvent());
    const sending = one(await claim(storage));
    const ids = idsOf(await deliveriesOf(storage));
    same(await hasten(storage, [...ids, 'dlv_x']), []);
    await settleAll(storage, [result(sending, { status: 'pending', delayMs: hourMs })]);
    for (const stranger of [globex, 'ACME', '%']) same(await hasten(storage, ids, stranger), []);
    same(await claim(storage), []);
    same(await hasten(storage, ids), [sending.deliveryId]);
  },

  'due keeps the order of an ordering key': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const events = newEvents(3, { orderingKey: 'order-1' });
    for (const event of events) await publish(storage, event);
    await waiting(storage);
    same(await claim(storage), []);
    const ids = idsOf(await deliveriesOf(storage));
    assert.deepEqual(sorted(await hasten(storage, ids)), sorted(ids));
    same(await eventsClaimed(storage), idsOf(events));
  },

  'due lets one of an ordering key go at a time': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    for (const event of newEvents(2, { orderingKey: 'order-1' })) await publish(storage, event);
    for (let i = 0; i < 2; i++) {
      const claimed = one(await claim(storage));
      const next = { status: 'pending', delayMs: hourMs, unblocksOrder: true } as const;
      await settleAll(storage, [result(claimed, next)]);
    }
    const ids = idsOf(await deliveriesOf(storage));
    assert.deepEqual(sorted(await hasten(storage, ids)), sorted(ids));
    const first = one(await claim(storage));
    same(await claim(storage), []);
    await settleAll(storage, [result(first, 'delivered')]);
    assert.notEqual(one(await claim(storage)).deliveryId, first.deliveryId);
  },
});

export const transitionDueDigestRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'due makes all of a digest due that waits, and leaves alone what gathers': async (under) => {
    const { storage } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs })]);
    await publish(storage, newEvent());
    const ids = idsOf(await deliveriesOf(storage));
    const [gathers, ...waits] = ids;
    same(await hasten(storage, [gathers!]), []);
    same(await claim(storage), []);
    same(await hasten(storage, waits.slice(1)), waits.slice(1));
    const again = one(await claim(storage));
    same(idsIn(again), idsOf(events));
    same([again.attempt, again.attemptsBeforeRetry], [2, 0]);
  },
});

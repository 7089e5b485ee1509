import assert from 'node:assert/strict';
import type { NextState } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  deliveryOf,
  hourMs,
  minuteMs,
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

export const beginRules: readonly StorageRule[] = topic<StorageUnderTest>('begin', {
  'an attempt counts from its beginning': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claimed = one(await take(storage));
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
    const { begun } = await storage.deliveries.begin([claimed], minuteMs);
    assert.equal(one(begun).token, claimed.token);
    const { status, attempts, attemptsBeforeRetry } = await deliveryOf(storage, deliveryId);
    assert.deepEqual([status, attempts, attemptsBeforeRetry], ['sending', 1, 0]);
  },

  'an attempt may begin with its claim, which reports that, and counts from then': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claimed = one(await take(storage, { isBegun: true }));
    const { begunAt, attempt, lostAt } = claimed;
    same([attempt, lostAt], [1, undefined]);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, begunAt ? 1 : 0);
    const { begun, at } = await storage.deliveries.begin([claimed], 0);
    same([one(begun).token, (begunAt ?? at) <= at], [claimed.token, true]);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1);
    await settleAll(storage, [release(claimed)]);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
  },

  'a delivery with earlier attempts does not begin with its claim until a manual retry': async ({
    storage,
  }) => {
    const { deliveryId } = await oneDelivery(storage);
    await settleAll(storage, [result(one(await claim(storage)), { status: 'pending', delayMs: 0 })]);
    const second = one(await take(storage, { isBegun: true }));
    same([second.attempt, second.begunAt], [2, undefined]);
    await storage.deliveries.begin([second], 0);
    await settleAll(storage, [result(second, 'dead')]);
    await storage.log.transition(acme, [deliveryId], 'pending');
    const third = one(await take(storage, { isBegun: true }));
    same([third.attempt, third.attemptsBeforeRetry], [3, 2]);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, third.begunAt ? 3 : 2);
  },

  'no attempt begins with its claim unless the call asks for it': async ({ storage }) => {
    await oneDelivery(storage);
    assert.equal(one(await take(storage)).begunAt, undefined);
  },

  'an attempt that began and was not sent is not counted': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(4));
    const claims = await claim(storage);
    const nexts = [
      { status: 'released' },
      { status: 'cancelled' },
      { status: 'dead' },
      { status: 'pending', delayMs: hourMs },
    ] as const;
    await settleAll(
      storage,
      claims.map((claimed, i) => ({ claim: claimed, next: nexts[i]! })),
    );
    for (const { deliveryId } of claims) {
      assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
      same(await storage.log.attempts(acme, deliveryId), []);
    }
  },

  "an attempt begins at the storage's time, and a call without claims returns that time": async ({
    storage,
    advance,
  }) => {
    await oneDelivery(storage);
    const claims = await take(storage, { leaseMs: 100 * hourMs });
    const { begun, at: before } = await storage.deliveries.begin([], 0);
    same(begun, []);
    ok(before instanceof Date, 'a Date');
    await advance(10 * hourMs);
    const { at } = await storage.deliveries.begin(claims, 0);
    const passedMs = at.getTime() - before.getTime();
    ok(
      passedMs >= 10 * hourMs && passedMs < 11 * hourMs,
      `the clock was advanced by 10 h, and begin reports ${passedMs} ms`,
    );
  },

  'each claim reports how many attempts the schedule does not count, until a manual retry': async (under) => {
    const { storage, advance } = under;
    const { deliveryId } = await oneDelivery(storage);
    const next = async (): Promise<readonly number[]> => {
      const { attempt, attemptsBeforeRetry, uncounted = 0 } = one(await take(storage));
      return [attempt, attemptsBeforeRetry, uncounted];
    };
    const settle = async (given: NextState, isSent = true): Promise<void> => {
      const claimed = one(await (isSent ? claim : take)(storage, { leaseMs: hourMs }));
      await settleAll(storage, [isSent ? result(claimed, given) : release(claimed, hourMs)]);
      await advance(hourMs);
    };
    await settle({ status: 'pending', delayMs: 0 });
    await settle({ status: 'pending', delayMs: 0, isUncounted: true });
    same(await next(), [3, 0, 1]);
    await advance(hourMs);
    await settle({ status: 'pending', delayMs: 0, isRateLimited: true });
    await settle({ status: 'released' }, false);
    same(await next(), [4, 0, 1]);
    await advance(hourMs);
    await settle({ status: 'pending', delayMs: hourMs, isUncounted: true });
    same(await next(), [5, 0, 2]);
    await advance(hourMs);
    for (const given of ['dead', 'pending'] as const) {
      await settle(
        given === 'dead' ? { status: given } : { status: given, delayMs: hourMs, isUncounted: true },
      );
      same(await storage.log.transition(acme, [deliveryId], 'pending'), [deliveryId]);
      const { attempts } = await deliveryOf(storage, deliveryId);
      same(await next(), [attempts + 1, attempts, 0]);
      await advance(hourMs);
    }
    await settle({ status: 'pending', delayMs: 0, isUncounted: true });
    await settle({ status: 'split' });
    same(await next(), [9, 8, 0]);
  },
});

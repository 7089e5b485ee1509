import assert from 'node:assert/strict';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  attemptOf,
  claim,
  deliveryOf,
  hourMs,
  minuteMs,
  one,
  oneDelivery,
  release,
  result,
  settleAll,
  take,
} from './sample.js';

const leaseMs = hourMs;

/** Attempts that began and whose worker died. */
export const beginLostRules: readonly StorageRule[] = topic<StorageUnderTest>('begin', {
  'an attempt that began with its claim and was abandoned is lost, and does not begin with the next claim':
    async (under) => {
      const { storage, advance } = under;
      const { deliveryId } = await oneDelivery(storage);
      const { begunAt } = one(await take(storage, { leaseMs, isBegun: true }));
      for (let claims = 0; claims < 2; claims++) {
        await advance(leaseMs);
        const again = one(await take(storage, { leaseMs, isBegun: true }));
        same([again.attempt, again.lostAt], begunAt ? [2, begunAt] : [1, undefined]);
        if (begunAt) assert.equal(again.begunAt, undefined);
        else return;
      }
      assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1);
    },

  'a delivery that is claimed repeatedly and never begun stays unchanged': async ({ storage, advance }) => {
    const { deliveryId } = await oneDelivery(storage);
    for (let deaths = 0; deaths < 12; deaths++) {
      const { attempt, attemptsBeforeRetry, lostAt } = one(await take(storage, { leaseMs }));
      same([attempt, attemptsBeforeRetry, lostAt], [1, 0, undefined]);
      await advance(leaseMs);
    }
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
    same(await storage.log.attempts(acme, deliveryId), []);
  },

  'after an abandoned attempt that began comes the next attempt, and the claim has the time when the lost one began':
    async (under) => {
      const { storage, advance } = under;
      const { deliveryId } = await oneDelivery(storage);
      const { at } = await storage.deliveries.begin(await take(storage, { leaseMs }), 0);
      await advance(leaseMs);
      for (let claims = 0; claims < 2; claims++) {
        const { attempt, attemptsBeforeRetry, lostAt } = one(await take(storage, { leaseMs }));
        same([attempt, attemptsBeforeRetry, lostAt], [2, 0, at]);
        await advance(leaseMs);
      }
      assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1);
    },

  'a lost attempt is no longer reported once it is recorded, and still counts': async ({
    storage,
    advance,
  }) => {
    const { deliveryId } = await oneDelivery(storage);
    await claim(storage, { leaseMs });
    await advance(leaseMs);
    const claimed = one(await take(storage));
    const attempt = attemptOf(
      { ...claimed, attempt: 1 },
      { outcome: 'unknown', kind: 'worker_lost', message: 'lost', status: null, response: null },
    );
    await settleAll(storage, [{ claim: claimed, next: { status: 'pending', delayMs: 0 }, attempt }]);
    same(await storage.log.attempts(acme, deliveryId), [attempt]);
    const again = one(await take(storage));
    same([again.attempt, again.lostAt], [2, undefined]);
    await storage.deliveries.begin([again], 0);
    await settleAll(storage, [result(again, 'dead')]);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 2);
  },

  'a release before the attempt began keeps the count, and the earlier lost attempt': async (under) => {
    const { storage, advance } = under;
    const { deliveryId } = await oneDelivery(storage);
    const first = one(await claim(storage, { leaseMs }));
    await advance(leaseMs);
    const second = one(await take(storage));
    same([first.lostAt, second.attempt], [undefined, 2]);
    await settleAll(storage, [release(second)]);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1);
    const third = one(await take(storage));
    same([third.attempt, third.lostAt], [2, second.lostAt]);
    await storage.deliveries.begin([third], 0);
    await settleAll(storage, [release(third, minuteMs)]);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1);
    await storage.log.transition(acme, [deliveryId], 'pending');
    const fourth = one(await take(storage, { isBegun: true }));
    same([fourth.attempt, fourth.attemptsBeforeRetry, fourth.lostAt], [2, 1, second.lostAt]);
    assert.equal(fourth.begunAt, undefined);
  },
});

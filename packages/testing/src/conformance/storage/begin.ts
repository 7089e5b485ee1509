import assert from 'node:assert/strict';
import type { Next } from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  attemptOf,
  claim,
  deliveryOf,
  hourMs,
  idsOf,
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

const leaseMs = hourMs;

export const beginRules: readonly StorageRule[] = topic<StorageUnderTest>('begin', {
  'an attempt counts from when it begins': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claimed = one(await take(storage));
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
    const { begun } = await storage.deliveries.begin([claimed], minuteMs);
    assert.equal(one(begun).token, claimed.token);
    const { status, attempts, attemptsBefore } = await deliveryOf(storage, deliveryId);
    assert.deepEqual([status, attempts, attemptsBefore], ['sending', 1, 0]);
  },

  'an attempt may begin with its claim, which says so, and counts from then': async ({ storage }) => {
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

  'what was tried before does not begin with its claim, until somebody asks for a retry': async ({
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
    same([third.attempt, third.attemptsBefore], [3, 2]);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, third.begunAt ? 3 : 2);
  },

  'without being asked to, none begins with its claim': async ({ storage }) => {
    await oneDelivery(storage);
    assert.equal(one(await take(storage)).begunAt, undefined);
  },

  'what began with its claim and was abandoned is lost, and does not begin with its next claim': async (
    under,
  ) => {
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

  'what has begun and came to nothing that was sent is not counted': async ({ storage }) => {
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

  'it begins at the time of the storage, and without claims that is told': async ({ storage, advance }) => {
    await oneDelivery(storage);
    const claims = await take(storage, { leaseMs: 100 * hourMs });
    const { begun, at: before } = await storage.deliveries.begin([], 0);
    same(begun, []);
    ok(before instanceof Date, 'a Date');
    await advance(10 * hourMs);
    const { at } = await storage.deliveries.begin(claims, 0);
    const passedMs = at.getTime() - before.getTime();
    ok(passedMs >= 10 * hourMs && passedMs < 11 * hourMs, `${passedMs} ms after the clock was moved 10 h`);
  },

  'what is claimed again and again and never begun is as it was': async ({ storage, advance }) => {
    const { deliveryId } = await oneDelivery(storage);
    for (let deaths = 0; deaths < 12; deaths++) {
      const { attempt, attemptsBefore, lostAt } = one(await take(storage, { leaseMs }));
      same([attempt, attemptsBefore, lostAt], [1, 0, undefined]);
      await advance(leaseMs);
    }
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
    same(await storage.log.attempts(acme, deliveryId), []);
  },

  'what has begun and was abandoned is the next attempt, and says when the lost one began': async (under) => {
    const { storage, advance } = under;
    const { deliveryId } = await oneDelivery(storage);
    const { at } = await storage.deliveries.begin(await take(storage, { leaseMs }), 0);
    await advance(leaseMs);
    for (let claims = 0; claims < 2; claims++) {
      const { attempt, attemptsBefore, lostAt } = one(await take(storage, { leaseMs }));
      same([attempt, attemptsBefore, lostAt], [2, 0, at]);
      await advance(leaseMs);
    }
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1);
  },

  'once a lost attempt is on record it is lost no more, and counts as it did': async ({
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

  'what the schedule leaves out is said by each claim, whatever else becomes of it, until a manual retry':
    async (under) => {
      const { storage, advance } = under;
      const { deliveryId } = await oneDelivery(storage);
      const next = async (): Promise<readonly number[]> => {
        const { attempt, attemptsBefore, uncounted = 0 } = one(await take(storage));
        return [attempt, attemptsBefore, uncounted];
      };
      const settle = async (given: Next, isSent = true): Promise<void> => {
        const claimed = one(await (isSent ? claim : take)(storage, { leaseMs }));
        await settleAll(storage, [isSent ? result(claimed, given) : release(claimed, hourMs)]);
        await advance(hourMs);
      };
      await settle({ status: 'pending', delayMs: 0 });
      await settle({ status: 'pending', delayMs: 0, isUncounted: true });
      same(await next(), [3, 0, 1]);
      await advance(hourMs);
      await settle({ status: 'pending', delayMs: 0, isBusy: true });
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

  'a token begins the delivery that it was given with, and no other': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(2));
    const [first, second] = await take(storage);
    const forged = { ...first!, token: second!.token };
    same((await storage.deliveries.begin([forged], 0)).begun, []);
    for (const { deliveryId } of [first!, second!]) {
      assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
    }
  },

  'a second beginning of the same claim counts nothing': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claims = await take(storage);
    for (let calls = 0; calls < 3; calls++) {
      assert.equal((await storage.deliveries.begin(claims, 0)).begun.length, 1);
    }
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1);
    await settleAll(storage, [release(one(claims))]);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
  },

  'nothing begins on a lease that is over, or nearly so': async ({ storage, advance }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claims = await take(storage, { leaseMs });
    await advance(leaseMs - 10 * minuteMs);
    same((await storage.deliveries.begin(claims, 20 * minuteMs)).begun, []);
    await advance(10 * minuteMs);
    same((await storage.deliveries.begin(claims, 0)).begun, []);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
    await storage.deliveries.renew(claims, leaseMs);
    assert.equal((await storage.deliveries.begin(claims, 20 * minuteMs)).begun.length, 1);
  },

  'nothing begins on a token that another took over, or that is settled, cancelled or deleted': async (
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

  'what is released before it began keeps its count, and the attempt that was lost before': async (under) => {
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
    same([fourth.attempt, fourth.attemptsBefore, fourth.lostAt], [2, 1, second.lostAt]);
    assert.equal(fourth.begunAt, undefined);
  },

  'of many claims those begin that may, in order, in one call': async ({ storage }) => {
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

export const beginDigestRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'each delivery of a digest counts when its attempt begins, once': async ({ storage, advance }) => {
    const binding = newBinding({ digest: { window: hourMs, maxEvents: 100 } });
    await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const events = newEvents(3);
    await publish(storage, ...events);
    await advance(2 * hourMs);
    const countsOf = async (): Promise<number[]> =>
      Promise.all(
        events.map(
          async ({ id }) =>
            one((await storage.log.deliveries(acme, { eventId: id, limit: 2 })).items).attempts,
        ),
      );
    const early = one(await take(storage, { isBegun: true }));
    const before = early.begunAt ? 1 : 0;
    same(await countsOf(), [before, before, before]);
    await settleAll(storage, [release(early)]);
    const claimed = one(await take(storage, { leaseMs }));
    same(await countsOf(), [0, 0, 0]);
    const { at } = await storage.deliveries.begin([claimed], 0);
    await storage.deliveries.begin([claimed], 0);
    same(await countsOf(), [1, 1, 1]);
    await advance(leaseMs);
    const again = one(await take(storage));
    same([again.deliveryId, again.attempt, again.lostAt], [claimed.deliveryId, 2, at]);
    same(idsOf(again.digest ?? []), idsOf(events));
    await storage.deliveries.begin([again], 0);
    await settleAll(storage, [release(again)]);
    same(await countsOf(), [1, 1, 1]);
  },

  'what the schedule of a digest leaves out is said by each claim, until one of it is retried by hand':
    async (under) => {
      const { storage, advance } = under;
      const binding = newBinding({ digest: { window: hourMs, maxEvents: 100 } });
      await storage.webhooks.create(newWebhook({ channels: [binding] }));
      const events = newEvents(3);
      await publish(storage, ...events);
      await advance(2 * hourMs);
      await settleAll(storage, [
        result(one(await claim(storage)), { status: 'pending', delayMs: hourMs, isUncounted: true }),
      ]);
      await advance(hourMs);
      const left = one(await take(storage));
      same([left.attempt, left.attemptsBefore, left.uncounted], [2, 0, 1]);
      await settleAll(storage, [release(left, hourMs)]);
      const { items } = await storage.log.deliveries(acme, { eventId: events[0]!.id, limit: 1 });
      await storage.log.transition(acme, idsOf(items), 'pending');
      const anew = one(await take(storage));
      same([anew.attempt, anew.attemptsBefore, anew.uncounted ?? 0], [2, 1, 0]);
      same(idsOf(anew.digest ?? []), idsOf(events));
    },
});

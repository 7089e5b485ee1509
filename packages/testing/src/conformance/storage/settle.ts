import assert from 'node:assert/strict';
import type { Attempt } from '@posthorn/core';
import type { Claim } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  attemptOf,
  claim,
  claimAll,
  deliverAll,
  deliveriesOf,
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
} from './sample.js';
import { attemptsOf, refuses } from './settle-sample.js';

const responses: Readonly<Record<string, string | null>> = {
  nothing: null,
  'an empty text': '',
  'a NUL': 'a\u0000b\u0000',
  unicode: 'Grüße, 世界 📯 \u2028 \ufeff \uffff',
  'control characters': '\u0001\u001b[31m\r\n\t\u007f',
  quotes: `'"\`\\ $1 %s \\u0000 \\x00 {}`,
  '16 KiB': `${'0123456789abcdé'.repeat(1024)}`,
};

export const settleRules: readonly StorageRule[] = topic<StorageUnderTest>('settle', {
  'delivered, dead and cancelled are final': async (under) => {
    const { storage, advance } = under;
    await storage.webhooks.create(newWebhook());
    for (const status of ['delivered', 'dead', 'cancelled'] as const) {
      await publish(storage, ...newEvents(1));
      const claimed = one(await claim(storage));
      const before = await deliveryOf(storage, claimed.deliveryId);
      await advance(minuteMs);
      same(await storage.deliveries.settle([result(claimed, status)]), [true]);
      const after = await deliveryOf(storage, claimed.deliveryId);
      same(after, { ...before, status, attempts: 1, dueAt: null, finishedAt: after.finishedAt });
      const took = after.finishedAt ? after.finishedAt.getTime() - after.createdAt.getTime() : Number.NaN;
      ok(took >= minuteMs && took < 2 * minuteMs, `finishedAt of ${status}: ${after.finishedAt}`);
      await advance(1000 * hourMs);
      same(await claim(storage), [], `${status} is not claimed`);
    }
  },

  'pending waits for delayMs by the clock of the storage': async (under) => {
    const { storage, advance } = under;
    const { deliveryId } = await oneDelivery(storage);
    const first = one(await claim(storage));
    await advance(minuteMs);
    const before = await deliveryOf(storage, deliveryId);
    same(await storage.deliveries.settle([result(first, { status: 'pending', delayMs: hourMs })]), [true]);
    const after = await deliveryOf(storage, deliveryId);
    same(after, { ...before, status: 'pending', dueAt: after.dueAt });
    const wait = after.dueAt ? after.dueAt.getTime() - after.createdAt.getTime() : Number.NaN;
    ok(wait >= hourMs + minuteMs && wait < hourMs + 2 * minuteMs, `due after ${wait} ms`);
    await advance(hourMs - minuteMs);
    same(await claim(storage), []);
    await advance(minuteMs);
    assert.equal(one(await claim(storage)).attempt, 2);
  },

  'pending without a delay is due at once': async ({ storage }) => {
    await oneDelivery(storage);
    const first = one(await claim(storage));
    await storage.deliveries.settle([result(first, { status: 'pending', delayMs: 0 })]);
    const second = one(await claim(storage));
    assert.equal(second.attempt, 2);
    assert.notEqual(second.token, first.token);
  },

  'a retry may wait for 30 days': async ({ storage, advance }) => {
    await oneDelivery(storage);
    const days = 30 * 24 * hourMs;
    const claimed = one(await claim(storage));
    await storage.deliveries.settle([result(claimed, { status: 'pending', delayMs: days })]);
    await advance(days - minuteMs);
    same(await claim(storage), []);
    await advance(minuteMs);
    one(await claim(storage));
  },

  'a released delivery is due at once, and its attempt is not counted': async (under) => {
    const { storage } = under;
    const { deliveryId } = await oneDelivery(storage);
    const first = one(await claim(storage));
    same(await storage.deliveries.settle([release(first)]), [true]);
    const { status, attempts, dueAt } = await deliveryOf(storage, deliveryId);
    assert.deepEqual([status, attempts], ['pending', 0]);
    ok(dueAt, 'dueAt must be null');
    same(await attemptsOf(under, deliveryId), []);
    const second = one(await claim(storage));
    assert.equal(second.attempt, 1);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1);
  },

  'a delivery released with a delay is due after it, and its attempt is not counted': async (under) => {
    const { storage, advance } = under;
    const { deliveryId } = await oneDelivery(storage);
    const first = one(await claim(storage));
    const before = await deliveryOf(storage, deliveryId);
    same(await storage.deliveries.settle([release(first, hourMs)]), [true]);
    const after = await deliveryOf(storage, deliveryId);
    same(after, { ...before, status: 'pending', attempts: 0, dueAt: after.dueAt });
    const wait = after.dueAt ? after.dueAt.getTime() - after.createdAt.getTime() : Number.NaN;
    ok(wait >= hourMs && wait < hourMs + minuteMs, `due after ${wait} ms`);
    await advance(hourMs - minuteMs);
    same(await claim(storage), []);
    await refuses(under, first);
    await advance(minuteMs);
    assert.equal(one(await claim(storage)).attempt, 1);
  },

  'of a batch, every valid result is written, and the answers are in order': async (under) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(6));
    const claims = await claimAll(storage);
    const [a, b, c, d, e, f] = claims as [Claim, Claim, Claim, Claim, Claim, Claim];
    await storage.deliveries.settle([result(b, 'dead')]);
    const stale = { ...e, token: a.token };
    const settlements = [
      result(d, { status: 'pending', delayMs: hourMs }),
      result(b, 'delivered'),
      result(a, 'delivered'),
      result(stale, 'delivered'),
      release(c),
      result(f, 'cancelled'),
    ];
    same(await storage.deliveries.settle(settlements), [true, false, true, false, true, true]);
    const statuses = [];
    for (const { deliveryId } of claims) statuses.push((await deliveryOf(storage, deliveryId)).status);
    assert.deepEqual(statuses, ['delivered', 'dead', 'pending', 'pending', 'sending', 'cancelled']);
    const counts = [];
    for (const { deliveryId } of claims) counts.push((await attemptsOf(under, deliveryId)).length);
    assert.deepEqual(counts, [1, 1, 0, 1, 0, 1]);
  },

  'attempts are appended in order, each as it was given': async (under) => {
    const { storage } = under;
    const { deliveryId } = await oneDelivery(storage);
    const given: Attempt[] = [];
    const variants: Partial<Attempt>[] = [
      { outcome: 'failed', kind: 'timeout', message: 'took 15 s', status: null, response: null },
      { outcome: 'failed', kind: 'http_status', message: 'ünï 📯', status: 503, durationMs: 0 },
      { outcome: 'failed', kind: 'channel_error', message: '', status: 999, durationMs: 2_147_483_647 },
      { outcome: 'delivered', status: 0, startedAt: new Date('2026-01-01T00:00:00.001Z') },
    ];
    for (const variant of variants) {
      const claimed = one(await claim(storage));
      const attempt = attemptOf(claimed, variant);
      given.push(attempt);
      await storage.deliveries.settle([{ claim: claimed, next: { status: 'pending', delayMs: 0 }, attempt }]);
      same(await attemptsOf(under, deliveryId), given);
    }
    assert.deepEqual(
      given.map(({ number }) => number),
      [1, 2, 3, 4],
    );
  },

  'a settlement without an attempt records none, and counts none': async (under) => {
    const { deliveryId } = await oneDelivery(under.storage);
    const claimed = one(await claim(under.storage));
    same(await under.storage.deliveries.settle([{ claim: claimed, next: { status: 'dead' } }]), [true]);
    same(await attemptsOf(under, deliveryId), []);
    const { status, attempts } = await deliveryOf(under.storage, deliveryId);
    assert.deepEqual([status, attempts], ['dead', 0]);
  },

  "a receiver's answer is stored unchanged": async (under) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    for (const [what, response] of Object.entries(responses)) {
      await publish(storage, ...newEvents(1));
      const claimed = one(await claim(storage));
      const attempt = attemptOf(claimed, { response, message: what });
      await storage.deliveries.settle([{ claim: claimed, next: { status: 'delivered' }, attempt }]);
      same(await attemptsOf(under, claimed.deliveryId), [attempt], `with ${what}`);
    }
  },

  'one call takes 300 results': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(300));
    await deliverAll(storage);
    assert.equal((await deliveriesOf(storage, acme, { status: ['delivered'] })).length, 300);
  },
});

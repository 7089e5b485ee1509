import assert from 'node:assert/strict';
import { isPosthornError, type StorageAdapter } from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  deliveriesOf,
  eventIdsOf,
  eventsOf,
  hourMs,
  idsOf,
  newEvent,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  release,
  result,
  settleAll,
  sorted,
} from './sample.js';

/** Calls `act` concurrently, `times` times, alternating between both handles. */
function atOnce<T>(
  { storage, second = storage }: StorageUnderTest,
  times: number,
  act: (storage: StorageAdapter<unknown>, i: number) => Promise<T>,
): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, i) => act(i % 2 === 0 ? storage : second, i)));
}

const codeOf = (error: unknown): string => (isPosthornError(error) ? error.code : String(error));

export const racesRules: readonly StorageRule[] = topic<StorageUnderTest>('races', {
  '20 concurrent claims of 500 deliveries get each delivery once': async (under) => {
    for (let i = 0; i < 5; i++) await under.storage.webhooks.create(newWebhook());
    const events = newEvents(100);
    await publish(under.storage, ...events);
    const claims = (await atOnce(under, 20, (storage) => claim(storage, { limit: 25 }))).flat();
    claims.push(...(await claimAll(under.storage, { limit: 25 })));
    assert.equal(new Set(claims.map(({ deliveryId }) => deliveryId)).size, 500);
    assert.equal(claims.length, 500, 'each delivery must be claimed by one caller');
    assert.equal(new Set(claims.map(({ token }) => token)).size, 500);
    ok(
      claims.every(({ attempt }) => attempt === 1),
      'each claim must be for the first attempt',
    );
  },

  'a claim finds the only due delivery, behind many webhooks that are empty or at their limit': async ({
    storage,
    second = storage,
  }) => {
    const tenants = Array.from({ length: 30 }, (_, i) => `tenant ${i}`);
    for (const tenantId of tenants) await storage.webhooks.create(newWebhook({ tenantId }));
    await publish(storage, ...tenants.map((tenantId) => newEvent({ tenantId })));
    const first = one(await claim(storage, { limit: 1 }));
    const others = await claimAll(second);
    await settleAll(
      second,
      others.map((other) => result(other, 'delivered')),
    );
    const late = newEvent({ tenantId: others.at(-1)!.webhook.tenantId });
    const full = newEvent({ tenantId: first.webhook.tenantId });
    await publish(second, full, late);
    const webhookRoom = new Map([[first.webhook.id, 0]]);
    same(eventIdsOf(await claim(storage, { limit: 1, webhookRoom })), [late.id]);
  },

  'concurrent claims take over an abandoned delivery once': async (under) => {
    await oneDelivery(under.storage);
    await claim(under.storage);
    await under.advance(hourMs);
    const claims = (await atOnce(under, 10, (storage) => claim(storage))).flat();
    assert.equal(one(claims).attempt, 2);
  },

  'concurrent publishes with one key store one event': async (under) => {
    await under.storage.webhooks.create(newWebhook());
    const key = { idempotencyKey: 'order-1', fingerprint: 'print' };
    const results = await atOnce(under, 20, (storage) => storage.deliveries.publish([newEvent(key)]));
    const event = one(await eventsOf(under.storage));
    for (const { published } of results) same(published, [{ eventId: event.id, deliveries: 1 }]);
    assert.deepEqual(eventIdsOf(await claimAll(under.storage)), [event.id]);
  },

  'concurrent publishes with one key and two fingerprints store one event, and refuse the other': async (
    under,
  ) => {
    const outcomes = await atOnce(under, 12, (storage, i) =>
      storage.deliveries
        .publish([newEvent({ idempotencyKey: 'order-1', fingerprint: String(i % 3) })])
        .then(({ published }) => one(published).eventId, codeOf),
    );
    const event = one(await eventsOf(under.storage));
    const winner = outcomes.indexOf(event.id) % 3;
    assert.deepEqual(
      outcomes,
      outcomes.map((_, i) => (i % 3 === winner ? event.id : 'idempotency_conflict')),
    );
  },

  'concurrent publishes of one event store it once': async (under) => {
    await under.storage.webhooks.create(newWebhook());
    const event = newEvent();
    const results = await atOnce(under, 20, (storage) => storage.deliveries.publish([event]));
    for (const { published } of results) same(published, [{ eventId: event.id, deliveries: 1 }]);
    assert.deepEqual(idsOf(await eventsOf(under.storage)), [event.id]);
    assert.equal((await claimAll(under.storage)).length, 1);
  },

  'concurrent publishes of different events store all of them': async (under) => {
    await under.storage.webhooks.create(newWebhook());
    const batches = Array.from({ length: 20 }, () => newEvents(10));
    await atOnce(under, 20, (storage, i) => storage.deliveries.publish(batches[i]!));
    const claims = await claimAll(under.storage, { webhookLimit: 200 });
    assert.deepEqual(sorted(eventIdsOf(claims)), sorted(idsOf(batches.flat())));
  },

  'batches that share events in different orders do not deadlock': async (under) => {
    await under.storage.webhooks.create(newWebhook());
    const events = newEvents(30);
    await atOnce(under, 10, (storage, i) =>
      storage.deliveries.publish(i % 4 < 2 ? events : [...events].reverse()),
    );
    assert.equal((await claimAll(under.storage)).length, 30);
  },

  'one of several concurrent updates of one version wins': async (under) => {
    const { id } = await under.storage.webhooks.create(newWebhook());
    const results = await atOnce(under, 10, (storage, i) =>
      storage.webhooks.update(acme, id, 1, { name: `Writer ${i}` }),
    );
    const winner = one(results.filter((record) => record !== undefined));
    assert.equal(winner.version, 2);
    same(await under.storage.webhooks.get(acme, id), winner);
  },

  'one of several concurrent creations with one id wins': async (under) => {
    const webhook = newWebhook();
    const outcomes = await atOnce(under, 10, (storage, i) =>
      storage.webhooks.create({ ...webhook, tenantId: `tenant-${i}` }).then(() => 'created', codeOf),
    );
    assert.deepEqual(sorted(outcomes), [...Array.from({ length: 9 }, () => 'conflict'), 'created']);
  },

  'one of several concurrent deletions resolves to true': async (under) => {
    const { webhook } = await oneDelivery(under.storage);
    const results = await atOnce(under, 10, (storage) => storage.webhooks.delete(acme, webhook.id));
    assert.equal(results.filter((deleted) => deleted).length, 1);
    same(await claimAll(under.storage), []);
  },

  'one of several concurrent results for one claim is written': async (under) => {
    const { deliveryId } = await oneDelivery(under.storage);
    const claimed = one(await claim(under.storage));
    const results = await atOnce(under, 10, (storage, i) =>
      storage.deliveries.settle([result(claimed, i % 2 === 0 ? 'delivered' : 'dead')]),
    );
    assert.equal(results.flat().filter((written) => written).length, 1);
    assert.equal((await under.storage.log.attempts(acme, deliveryId)).length, 1);
  },

  'concurrent results and renewals: each result is written, and unsettled deliveries stay leased': async (
    under,
  ) => {
    const { storage, second = storage } = under;
    await storage.webhooks.create(newWebhook());
    for (let round = 0; round < 5; round++) {
      await publish(storage, ...newEvents(90));
      const claims = await claimAll(storage);
      const settlements = claims
        .slice(0, 80)
        .map((claimed, i) =>
          i % 3 === 0 ? release(claimed) : result(claimed, i % 3 === 1 ? 'delivered' : 'dead'),
        );
      const [renewed, again, first, rest] = await Promise.all([
        storage.deliveries.renew([...claims].reverse(), hourMs),
        second.deliveries.renew(claims, hourMs),
        storage.deliveries.settle(settlements.slice(0, 40)),
        second.deliveries.settle(settlements.slice(40).reverse()),
      ]);
      ok([...first, ...rest].every(Boolean), 'each result must be written');
      for (const held of [renewed, again]) {
        const tokens = new Set(held.map(({ token }) => token));
        ok(
          claims.slice(80).every(({ token }) => tokens.has(token)),
          'each unsettled lease must be renewed',
        );
      }
      await settleAll(
        storage,
        [...claims.slice(80), ...(await claimAll(storage))].map((claimed) => result(claimed, 'delivered')),
      );
    }
  },

  'a result and a concurrent cancellation: the first one stands': async (under) => {
    await under.storage.webhooks.create(newWebhook());
    await publish(under.storage, ...newEvents(20));
    const claims = await claimAll(under.storage);
    const ids = claims.map(({ deliveryId }) => deliveryId);
    const { log } = under.second ?? under.storage;
    const [settled, moved] = await Promise.all([
      under.storage.deliveries.settle(claims.map((claimed) => result(claimed, 'delivered'))),
      log.transition(acme, [...ids].reverse(), 'cancelled'),
    ]);
    const delivered = ids.filter((_, i) => settled[i]);
    assert.deepEqual(
      sorted([...delivered, ...moved]),
      sorted(ids),
      'each delivery must be either delivered or cancelled',
    );
    for (const { id, status } of await deliveriesOf(under.storage)) {
      assert.equal(status, delivered.includes(id) ? 'delivered' : 'cancelled');
      assert.equal((await under.storage.log.attempts(acme, id)).length, status === 'delivered' ? 1 : 0);
    }
  },

  'a webhook that is deleted during a publish gets no deliveries': async (under) => {
    const webhook = await under.storage.webhooks.create(newWebhook());
    await atOnce<unknown>(under, 12, (storage, i) =>
      i === 5 ? storage.webhooks.delete(acme, webhook.id) : publish(storage, ...newEvents(3)),
    );
    same(await claimAll(under.storage), []);
    assert.equal((await eventsOf(under.storage)).length, 33);
  },
});

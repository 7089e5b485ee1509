import assert from 'node:assert/strict';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  deliveryOf,
  eventIdsOf,
  hourMs,
  idsOf,
  minuteMs,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  release,
  result,
  sorted,
} from './sample.js';

const leaseMs = hourMs;

export const leaseRules: readonly StorageRule[] = topic<StorageUnderTest>('lease', {
  'a lease lasts leaseMs: the delivery is not claimable before, and claimable then': async ({
    storage,
    advance,
  }) => {
    const { deliveryId } = await oneDelivery(storage);
    const first = one(await claim(storage, { leaseMs }));
    await advance(leaseMs - minuteMs);
    same(await claim(storage), []);
    await advance(minuteMs);
    assert.equal((await deliveryOf(storage, deliveryId)).status, 'sending');
    const second = one(await claim(storage));
    assert.equal(second.deliveryId, deliveryId);
    assert.notEqual(second.token, first.token);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 2);
  },

  'each claim has the requested lease': async ({ storage, advance }) => {
    await storage.webhooks.create(newWebhook());
    const events = newEvents(2);
    await publish(storage, ...events);
    const long = one(await claim(storage, { limit: 1, leaseMs: 3 * hourMs }));
    const short = one(await claim(storage, { limit: 1, leaseMs: hourMs }));
    await advance(hourMs);
    assert.deepEqual(eventIdsOf(await claimAll(storage)), [short.event.id]);
    await advance(2 * hourMs);
    const free = eventIdsOf(await claimAll(storage));
    ok(free.includes(long.event.id), 'the lease of three hours must be over');
  },

  'a late result is written if no other worker took the delivery over': async ({ storage, advance }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claimed = one(await claim(storage, { leaseMs }));
    await advance(2 * leaseMs);
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [true]);
    assert.equal((await deliveryOf(storage, deliveryId)).status, 'delivered');
    same(await claim(storage), []);
  },

  'a token stays valid until another worker takes the delivery over, despite claims that got nothing': async (
    under,
  ) => {
    const { storage, advance } = under;
    const webhook = await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(2));
    const claims = await claimAll(storage, { leaseMs });
    await advance(2 * leaseMs);
    // A webhook gets no claims at its limit, nor while it is paused.
    same(await claim(storage, { webhookLimit: 1, webhookRoom: new Map([[webhook.id, 0]]) }), []);
    await storage.webhooks.update(acme, webhook.id, 1, { isActive: false });
    same(await claim(storage), []);
    for (const { deliveryId } of claims) {
      assert.equal((await deliveryOf(storage, deliveryId)).status, 'sending');
    }
    const [renewed, settled] = claims;
    assert.equal((await storage.deliveries.renew([renewed!], leaseMs)).length, 1);
    same(await storage.deliveries.settle([result(settled!, 'delivered')]), [true]);
    await storage.webhooks.update(acme, webhook.id, 2, { isActive: true });
    same(await claim(storage), []);
  },

  'renew moves the end of a lease to leaseMs from now': async ({ storage, advance }) => {
    await oneDelivery(storage);
    const claimed = one(await claim(storage, { leaseMs }));
    await advance(leaseMs - minuteMs);
    const renewed = one(await storage.deliveries.renew([claimed], leaseMs));
    assert.equal(renewed.deliveryId, claimed.deliveryId);
    assert.equal(renewed.token, claimed.token);
    await advance(leaseMs - minuteMs);
    same(await claim(storage), []);
    await advance(minuteMs);
    assert.equal(one(await claim(storage)).attempt, 2);
  },

  'renew counts no attempt, and the token stays valid': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claimed = one(await claim(storage));
    await storage.deliveries.renew([claimed], leaseMs);
    assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1);
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [true]);
  },

  'renew can shorten a lease': async ({ storage, advance }) => {
    await oneDelivery(storage);
    const claimed = one(await claim(storage, { leaseMs: 10 * hourMs }));
    await storage.deliveries.renew([claimed], minuteMs);
    await advance(minuteMs);
    assert.equal(one(await claim(storage)).deliveryId, claimed.deliveryId);
  },

  'a late renewal succeeds if no other worker took the delivery over': async ({ storage, advance }) => {
    await oneDelivery(storage);
    const claimed = one(await claim(storage, { leaseMs }));
    await advance(2 * leaseMs);
    assert.equal((await storage.deliveries.renew([claimed], leaseMs)).length, 1);
    same(await claim(storage), []);
  },

  "renew skips a delivery that was taken over, and does not change the other worker's lease": async (
    under,
  ) => {
    const { storage, advance } = under;
    await oneDelivery(storage);
    const lost = one(await claim(storage, { leaseMs }));
    await advance(leaseMs);
    const taken = one(await claim(storage, { leaseMs }));
    same(await storage.deliveries.renew([lost], 100 * leaseMs), []);
    await advance(leaseMs);
    assert.equal(one(await claim(storage)).deliveryId, taken.deliveryId);
  },

  'renew skips settled, cancelled and deleted deliveries, and extends the others': async ({ storage }) => {
    const webhook = await storage.webhooks.create(newWebhook());
    const other = await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(4));
    const claims = await claimAll(storage);
    const of = (id: string) => claims.filter((claimed) => claimed.webhook.id === id);
    const [settled, released, cancelled, held] = of(other.id);
    await storage.deliveries.settle([result(settled!, 'dead'), release(released!)]);
    await storage.log.transition(acme, [cancelled!.deliveryId], 'cancelled');
    await storage.webhooks.delete(acme, webhook.id);
    const renewed = await storage.deliveries.renew(claims, leaseMs);
    assert.deepEqual(idsOfClaims(renewed), [held!.deliveryId]);
    same(await storage.deliveries.renew([], leaseMs), []);
  },

  'renew extends many leases in one call': async ({ storage, advance }) => {
    await storage.webhooks.create(newWebhook());
    const events = newEvents(150);
    await publish(storage, ...events);
    const claims = await claimAll(storage, { leaseMs });
    await advance(leaseMs - minuteMs);
    const renewed = await storage.deliveries.renew(claims.slice(0, 100), leaseMs);
    assert.deepEqual(idsOfClaims(renewed), idsOfClaims(claims.slice(0, 100)));
    await advance(minuteMs);
    const free = await claimAll(storage);
    assert.deepEqual(idsOfClaims(free), idsOfClaims(claims.slice(100)));
    assert.deepEqual(sorted(eventIdsOf(claims)), sorted(idsOf(events)));
  },
});

const idsOfClaims = (claims: readonly { readonly deliveryId: string }[]): string[] =>
  sorted(claims.map(({ deliveryId }) => deliveryId));

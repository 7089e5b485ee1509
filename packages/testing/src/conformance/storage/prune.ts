import assert from 'node:assert/strict';
import type { NewEvent } from '@posthorn/core/storage';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  deliverAll,
  deliveriesOf,
  eventsOf,
  globex,
  hourMs,
  idsOf,
  minuteMs,
  newBinding,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  result,
} from './sample.js';

const everything = { olderThanMs: 0, limit: 1000 };

/** Publishes and finishes one event an hour, then advances the clock by a minute. */
async function finishedHourly(
  { storage, advance }: StorageUnderTest,
  count: number,
  tenantIds: readonly string[] = [acme],
): Promise<NewEvent[]> {
  for (const tenantId of tenantIds) await storage.webhooks.create(newWebhook({ tenantId }));
  const events = newEvents(count).map((event, i) => ({
    ...event,
    tenantId: tenantIds[i % tenantIds.length]!,
  }));
  for (const event of events) {
    await advance(hourMs);
    await publish(storage, event);
    await deliverAll(storage);
  }
  await advance(minuteMs);
  return events;
}

export const pruneRules: readonly StorageRule[] = topic<StorageUnderTest>('prune', {
  'deletes an event with its deliveries and attempts': async (under) => {
    const { storage } = under;
    await finishedHourly(under, 1);
    const delivery = one(await deliveriesOf(storage));
    assert.equal((await storage.log.attempts(acme, delivery.id)).length, 1);
    assert.equal(await storage.log.prune(everything), 1);
    same(await eventsOf(storage), []);
    same(await deliveriesOf(storage), []);
    same(await storage.log.attempts(acme, delivery.id), []);
    same(await storage.log.transition(acme, [delivery.id], 'pending'), []);
    assert.equal(await storage.log.prune(everything), 0);
  },

  'deletes events whose deliveries are dead or cancelled, and events without deliveries': async ({
    storage,
  }) => {
    await publish(storage, ...newEvents(1));
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(2));
    const [dead, cancelled] = await claimAll(storage);
    await storage.deliveries.settle([result(dead!, 'dead'), result(cancelled!, 'cancelled')]);
    assert.equal(await storage.log.prune(everything), 3);
    same(await eventsOf(storage), []);
  },

  'keeps events that were published less than olderThanMs ago, whenever they finished': async (under) => {
    const { storage } = under;
    const events = await finishedHourly(under, 4);
    assert.equal(await storage.log.prune({ olderThanMs: 10 * hourMs, limit: 1000 }), 0);
    assert.equal(await storage.log.prune({ olderThanMs: 2 * hourMs, limit: 1000 }), 2);
    assert.deepEqual(idsOf(await eventsOf(storage)), idsOf([events[3]!, events[2]!]));
  },

  'counts the age from the publication, not from the last attempt': async ({ storage, advance }) => {
    await oneDelivery(storage);
    await advance(2 * hourMs);
    await deliverAll(storage);
    assert.equal(await storage.log.prune({ olderThanMs: 2 * hourMs, limit: 10 }), 1);
  },

  'keeps an event with any unfinished delivery completely': async ({ storage, advance }) => {
    await storage.webhooks.create(newWebhook({ channels: [newBinding(), newBinding()] }));
    await publish(storage, ...newEvents(3));
    const claims = await claimAll(storage);
    const [waiting, sending, finished] = [...new Set(claims.map(({ event }) => event.id))];
    const of = (id: string | undefined) => claims.filter(({ event }) => event.id === id);
    await storage.deliveries.settle([
      result(of(waiting)[0]!, 'delivered'),
      result(of(waiting)[1]!, { status: 'pending', delayMs: 100 * hourMs }),
      result(of(sending)[0]!, 'dead'),
      ...of(finished).map((claimed) => result(claimed, 'delivered')),
    ]);
    await advance(50 * hourMs);
    assert.equal(await storage.log.prune(everything), 1);
    assert.deepEqual(idsOf(await eventsOf(storage)).sort(), [waiting!, sending!].sort());
    const deliveries = await deliveriesOf(storage);
    assert.equal(deliveries.length, 4);
    same((await storage.log.attempts(acme, of(waiting)[0]!.deliveryId)).length, 1);
    // An abandoned delivery is not finished.
    assert.equal(one(await claim(storage)).deliveryId, of(sending)[1]!.deliveryId);
  },

  'deletes at most the limit, oldest first, and resolves to the number of deleted events': async (under) => {
    const { storage } = under;
    const events = await finishedHourly(under, 5);
    assert.equal(await storage.log.prune({ olderThanMs: 0, limit: 2 }), 2);
    assert.deepEqual(idsOf(await eventsOf(storage)), idsOf(events.slice(2).reverse()));
    assert.equal(await storage.log.prune({ olderThanMs: 0, limit: 2 }), 2);
    assert.equal(await storage.log.prune({ olderThanMs: 0, limit: 2 }), 1);
    assert.equal(await storage.log.prune({ olderThanMs: 0, limit: 2 }), 0);
  },

  'deletes the oldest events across tenants': async (under) => {
    const { storage } = under;
    const events = await finishedHourly(under, 6, [acme, globex, '__proto__']);
    assert.equal(await storage.log.prune({ olderThanMs: 0, limit: 4 }), 4);
    same(await eventsOf(storage), []);
    assert.deepEqual(idsOf(await eventsOf(storage, globex)), [events[4]!.id]);
    assert.deepEqual(idsOf(await eventsOf(storage, '__proto__')), [events[5]!.id]);
  },

  'deletes newer events behind an old unfinished one': async (under) => {
    const { storage } = under;
    const paused = await storage.webhooks.create(newWebhook());
    const [stuck] = newEvents(1);
    await publish(storage, stuck!);
    await storage.webhooks.update(acme, paused.id, 1, { isActive: false });
    await finishedHourly(under, 3);
    assert.equal(await storage.log.prune({ olderThanMs: 0, limit: 2 }), 2);
    assert.equal(await storage.log.prune({ olderThanMs: 0, limit: 2 }), 1);
    assert.deepEqual(idsOf(await eventsOf(storage)), [stuck!.id]);
  },

  'keeps an event with a delivery that was retried manually': async (under) => {
    const { storage } = under;
    await finishedHourly(under, 1);
    await storage.log.transition(acme, [one(await deliveriesOf(storage)).id], 'pending');
    assert.equal(await storage.log.prune(everything), 0);
    await deliverAll(storage);
    assert.equal(await storage.log.prune(everything), 1);
  },

  'deletes events whose webhook was deleted': async ({ storage }) => {
    const { webhook } = await oneDelivery(storage);
    await claim(storage);
    await storage.webhooks.delete(acme, webhook.id);
    assert.equal(await storage.log.prune(everything), 1);
    same(await deliveriesOf(storage), []);
  },

  'keeps the webhooks, which continue to receive events': async (under) => {
    const { storage } = under;
    await finishedHourly(under, 2);
    await storage.log.prune(everything);
    assert.equal((await storage.webhooks.list(acme, { limit: 10 })).items.length, 1);
    await publish(storage, ...newEvents(1));
    assert.equal((await claimAll(storage)).length, 1);
  },
});

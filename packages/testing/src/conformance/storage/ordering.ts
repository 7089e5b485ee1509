import assert from 'node:assert/strict';
import type { Claim, NewEvent } from '@posthorn/core/storage';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import { chain, claimOf, deliver, goInOrder, keyed, retryIn } from './chain-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  claimOptions,
  deliveriesOf,
  eventIdsOf,
  globex,
  hourMs,
  idsOf,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  publish,
  release,
  result,
  settleAll,
  sorted,
} from './sample.js';

export const orderingRules: readonly StorageRule[] = topic<StorageUnderTest>('ordering', {
  'a claim says the ordering key': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, newEvent({ orderingKey: 'schlüssel 📯' }));
    assert.equal(one(await claim(storage)).event.orderingKey, 'schlüssel 📯');
  },

  'deliveries with one key go one after another, in the order of publication': async (under) => {
    const events = await chain(under, 5);
    await goInOrder(under.storage, events);
  },

  'those behind one that is released with a delay wait for it': async (under) => {
    const { storage, advance } = under;
    const events = await chain(under, 2);
    await settleAll(storage, [release(await claimOf(storage, events[0]), hourMs)]);
    same(await claim(storage), []);
    await advance(2 * hourMs);
    await goInOrder(storage, events);
  },

  'those of one call go in the order of the call, before those of a later one': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const events = keyed(6);
    await publish(storage, ...events.slice(0, 4));
    await publish(storage, ...events.slice(4));
    await goInOrder(storage, events);
  },

  'the ids of events do not decide their order': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const events = keyed(4).reverse();
    for (const event of events) await publish(storage, event);
    await goInOrder(storage, events);
  },

  'those behind it are pending, and have no attempts': async (under) => {
    const [, second] = await chain(under, 2);
    await claim(under.storage);
    const waiting = one(await deliveriesOf(under.storage, acme, { eventId: second!.id }));
    assert.deepEqual([waiting.status, waiting.attempts], ['pending', 0]);
  },

  'other keys, and those without, go at the same time': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const [first, second] = keyed(2);
    const others = [
      ...keyed(1, 'order-2'),
      ...keyed(1, 'Order-1'),
      ...keyed(1, 'order-1 '),
      ...keyed(1, 'o'.repeat(255)),
      ...newEvents(2),
    ];
    await publish(storage, first!, second!, ...others);
    assert.deepEqual(sorted(eventIdsOf(await claimAll(storage))), sorted(idsOf([first!, ...others])));
  },

  'each channel binding, webhook and tenant goes by itself': async ({ storage }) => {
    await storage.webhooks.create(newWebhook({ channels: [newBinding(), newBinding({ channel: 'slack' })] }));
    await storage.webhooks.create(newWebhook());
    await storage.webhooks.create(newWebhook({ tenantId: globex }));
    const [first, second] = keyed(2);
    const theirs = newEvents(2, { tenantId: globex, orderingKey: 'order-1' });
    await publish(storage, first!, second!, ...theirs);
    const claims = await claimAll(storage);
    assert.deepEqual(sorted(eventIdsOf(claims)), sorted([first!.id, first!.id, first!.id, theirs[0]!.id]));
    await deliver(storage, claims[0]!);
    const next = one(await claimAll(storage));
    same([next.webhook.id, next.binding], [claims[0]!.webhook.id, claims[0]!.binding]);
  },

  'a hand-off hands over one of a key at most': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const events = keyed(3);
    const { claims } = await storage.deliveries.publish(events, { prefetch: claimOptions() });
    const first = [...claims, ...(await claimAll(storage))];
    assert.deepEqual(eventIdsOf(first), [events[0]!.id]);
    const more = await storage.deliveries.publish(keyed(1), { prefetch: claimOptions() });
    same(more.claims, []);
    await deliver(storage, first[0]!);
    await claimOf(storage, events[1]);
  },

  'a long chain goes in order, beside others': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const keys = ['a', 'b', 'c', 'd'];
    const events = Array.from({ length: 120 }, (_, i) =>
      newEvent({ orderingKey: keys[i % keys.length]!, idempotencyKey: `k${i}`, fingerprint: 'f' }),
    );
    for (let i = 0; i < events.length; i += 30) await publish(storage, ...events.slice(i, i + 30));
    const reached = new Map<string, string[]>(keys.map((key) => [key, []]));
    for (let round = 0; round < 30; round++) {
      const claims = await claim(storage);
      assert.equal(claims.length, keys.length, `round ${round}`);
      for (const { event } of claims) reached.get(event.orderingKey!)!.push(event.id);
      await settleAll(
        storage,
        claims.map((claimed) => result(claimed, 'delivered')),
      );
    }
    for (const key of keys) {
      assert.deepEqual(reached.get(key), idsOf(events.filter(({ orderingKey }) => orderingKey === key)));
    }
  },

  'what comes back claimed keeps the order of its key: it is the first of it, and nothing of it is in flight':
    async ({ storage }) => {
      await storage.webhooks.create(newWebhook());
      const handOff = async (...events: NewEvent[]): Promise<readonly Claim[]> =>
        (await storage.deliveries.publish(events, { prefetch: claimOptions() })).claims;
      const [first, second, third, other] = [...keyed(3), newEvent({ orderingKey: 'order-2' })];
      const handed = await handOff(first!, second!, other!);
      await storage.deliveries.begin(handed, 0);
      const early = [...handed, ...(await claim(storage))];
      same(sorted(eventIdsOf(early)), sorted(idsOf([first!, other!])));
      const failing = early.find(({ event }) => event.id === first!.id)!;
      const rest = early.filter((each) => each !== failing);
      await settleAll(storage, [retryIn(failing, 0, true), ...rest.map((each) => result(each, 'delivered'))]);
      // What failed lets others pass, but while it is tried again it is in flight.
      const again = one(await claim(storage));
      same(await handOff(third!), []);
      await deliver(storage, again);
      const gone = [again.event.id];
      for (let claims = await claim(storage); claims.length > 0; claims = await claim(storage)) {
        gone.push(one(claims).event.id);
        await deliver(storage, one(claims));
      }
      same(sorted(gone), sorted(idsOf([first!, second!, third!])));
    },
});

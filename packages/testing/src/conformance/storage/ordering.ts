import assert from 'node:assert/strict';
import type { Claim, NewEvent, Storage } from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  claimOptions,
  deliverAll,
  deliveriesOf,
  deliveryOf,
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

const keyed = (count: number, orderingKey = 'order-1'): NewEvent[] => newEvents(count, { orderingKey });

const retryIn = (claimed: Claim, delayMs: number, yields = false) =>
  result(claimed, { status: 'pending', delayMs, yields });

/** A webhook, and events of one key published one after the other. */
async function chain({ storage }: StorageUnderTest, count: number): Promise<NewEvent[]> {
  await storage.webhooks.create(newWebhook());
  const events = keyed(count);
  for (const event of events) await publish(storage, event);
  return events;
}

/** The only claim there is, which must be of this event. */
async function claimOf(storage: Storage<unknown>, event: NewEvent | undefined): Promise<Claim> {
  const claimed = one(await claim(storage, { leaseMs: 100 * hourMs }));
  assert.equal(claimed.event.id, event?.id);
  return claimed;
}

const deliver = (storage: Storage<unknown>, claimed: Claim): Promise<void> =>
  settleAll(storage, [result(claimed, 'delivered')]);

/** Claims one after the other, delivers each, and passes where they come in this order. */
async function goInOrder(storage: Storage<unknown>, events: readonly NewEvent[]): Promise<void> {
  for (const event of events) await deliver(storage, await claimOf(storage, event));
  same(await claim(storage), []);
}

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

  'they go in the order of publication whoever publishes, and however many at a time': async (under) => {
    const { storage, second = storage } = under;
    await storage.webhooks.create(newWebhook());
    const handles = [storage, second];
    // Both have published before, many at once: over as many connections as they have.
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => publish(handles[i % 2]!, ...keyed(1, `other-${i}`))),
    );
    await deliverAll(storage);
    const events: NewEvent[] = [];
    for (let n = 0; n < 12; n++) {
      // What else is published meanwhile has other keys, and another connection.
      const beside = Array.from({ length: n % 4 }, (_, i) =>
        publish(handles[i % 2]!, ...keyed(1, `beside-${i}`)),
      );
      const event = newEvent({ orderingKey: 'order-1' });
      await publish(handles[n % 2]!, event);
      await Promise.all(beside);
      events.push(event);
    }
    const reached: string[] = [];
    for (let claims = await claim(storage); claims.length > 0; claims = await claim(storage)) {
      for (const { event } of claims) if (event.orderingKey === 'order-1') reached.push(event.id);
      await settleAll(
        storage,
        claims.map((claimed) => result(claimed, 'delivered')),
      );
    }
    assert.deepEqual(reached, idsOf(events));
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

  'nothing passes one that waits for its retry': async (under) => {
    const { storage, advance } = under;
    const [first, second] = await chain(under, 3);
    await storage.deliveries.settle([retryIn(await claimOf(storage, first), 2 * hourMs)]);
    await advance(hourMs);
    same(await claim(storage), []);
    await advance(hourMs);
    await deliver(storage, await claimOf(storage, first));
    await claimOf(storage, second);
  },

  'nothing passes one whose lease is over': async (under) => {
    const { storage, advance } = under;
    const [first, second] = await chain(under, 2);
    one(await claim(storage, { leaseMs: hourMs }));
    await advance(hourMs);
    const again = await claimOf(storage, first);
    assert.equal(again.attempt, 2);
    same(await claim(storage), []);
    await deliver(storage, again);
    await claimOf(storage, second);
  },

  'a result that comes after its lease lets the next go': async (under) => {
    const { storage, advance } = under;
    const [, second] = await chain(under, 2);
    const claimed = one(await claim(storage));
    await advance(2 * hourMs);
    await deliver(storage, claimed);
    await claimOf(storage, second);
  },

  'one that is dead or cancelled lets the next go': async (under) => {
    const { storage } = under;
    const [first, second, third, fourth] = await chain(under, 4);
    await settleAll(storage, [result(await claimOf(storage, first), 'dead')]);
    await settleAll(storage, [result(await claimOf(storage, second), 'cancelled')]);
    const claimed = await claimOf(storage, third);
    assert.equal((await storage.log.transition(acme, [claimed.deliveryId], 'cancelled')).length, 1);
    await claimOf(storage, fourth);
  },

  'cancelling one that waits for its retry lets the next go, cancelling one behind it does not': async (
    under,
  ) => {
    const { storage } = under;
    const [first, second, third] = await chain(under, 3);
    const claimed = await claimOf(storage, first);
    await settleAll(storage, [retryIn(claimed, 10 * hourMs)]);
    const behind = one(await deliveriesOf(storage, acme, { eventId: second!.id }));
    await storage.log.transition(acme, [behind.id], 'cancelled');
    same(await claim(storage), []);
    await storage.log.transition(acme, [claimed.deliveryId], 'cancelled');
    await claimOf(storage, third);
  },

  'one that is given back keeps its place': async (under) => {
    const { storage } = under;
    const events = await chain(under, 3);
    await settleAll(storage, [release(await claimOf(storage, events[0]))]);
    await goInOrder(storage, events);
  },

  'one that yields lets the next go, and there are never two at once': async (under) => {
    const { storage, advance } = under;
    const [first, second, third] = await chain(under, 3);
    await settleAll(storage, [retryIn(await claimOf(storage, first), hourMs, true)]);
    const passing = await claimOf(storage, second);
    await advance(hourMs);
    same(await claim(storage), []);
    await deliver(storage, passing);
    const claims = [one(await claim(storage))];
    same(await claim(storage), []);
    await deliver(storage, claims[0]!);
    claims.push(one(await claim(storage)));
    assert.deepEqual(sorted(eventIdsOf(claims)), sorted([first!.id, third!.id]));
  },

  'one that was released while another passed goes on later': async (under) => {
    const { storage } = under;
    const [first, second] = await chain(under, 2);
    await settleAll(storage, [retryIn(await claimOf(storage, first), 0, true)]);
    const claimed = one(await claim(storage));
    same(await claim(storage), []);
    await settleAll(storage, [release(claimed)]);
    const order = [one(await claim(storage))];
    await deliver(storage, order[0]!);
    order.push(one(await claim(storage)));
    await deliver(storage, order[1]!);
    assert.deepEqual(sorted(eventIdsOf(order)), sorted([first!.id, second!.id]));
  },

  'a manual retry yields: what is behind it does not wait for it again': async (under) => {
    const { storage } = under;
    const [first, second] = await chain(under, 2);
    const claimed = await claimOf(storage, first);
    await settleAll(storage, [result(claimed, 'dead')]);
    await storage.log.transition(acme, [claimed.deliveryId], 'pending');
    const retried = one(await claim(storage));
    same(await claim(storage), []);
    await settleAll(storage, [retryIn(retried, 10 * hourMs)]);
    const next = one(await claim(storage));
    assert.deepEqual(sorted([retried.event.id, next.event.id]), sorted([first!.id, second!.id]));
  },

  'a manual retry of one that waits goes at once, and lets the next go after it': async (under) => {
    const { storage } = under;
    const [first, second] = await chain(under, 2);
    const claimed = await claimOf(storage, first);
    await settleAll(storage, [retryIn(claimed, 10 * hourMs)]);
    await storage.log.transition(acme, [claimed.deliveryId], 'pending');
    const order = [one(await claim(storage))];
    same(await claim(storage), []);
    await settleAll(storage, [retryIn(order[0]!, 10 * hourMs)]);
    if (order[0]!.event.id === first!.id) order.push(await claimOf(storage, second));
    assert.equal((await deliveryOf(storage, claimed.deliveryId)).status === 'dead', false);
  },

  'a paused webhook goes on in order': async (under) => {
    const { storage } = under;
    const webhook = await storage.webhooks.create(newWebhook());
    const events = keyed(3);
    await publish(storage, ...events);
    await storage.webhooks.update(acme, webhook.id, 1, { isActive: false });
    same(await claim(storage), []);
    await storage.webhooks.update(acme, webhook.id, 2, { isActive: true });
    await goInOrder(storage, events);
  },

  'what was behind a deleted webhook is cancelled with it': async (under) => {
    const { storage } = under;
    await chain(under, 3);
    const { webhook } = one(await claim(storage));
    await storage.webhooks.delete(acme, webhook.id);
    same(await claim(storage), []);
    for (const { status } of await deliveriesOf(storage)) assert.equal(status, 'cancelled');
  },

  'a hand-off hands over one of a key at most': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const events = keyed(3);
    const { claims } = await storage.deliveries.publish(events, { claimFor: claimOptions() });
    const first = [...claims, ...(await claimAll(storage))];
    assert.deepEqual(eventIdsOf(first), [events[0]!.id]);
    const more = await storage.deliveries.publish(keyed(1), { claimFor: claimOptions() });
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

  'results and claims at once leave nobody behind': async ({ storage, second = storage, advance }) => {
    await storage.webhooks.create(newWebhook());
    for (let round = 0; round < 10; round++) {
      const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`);
      const heads = keys.flatMap((key) => keyed(1, key));
      const nexts = keys.flatMap((key) => keyed(1, key));
      await publish(storage, ...heads, ...nexts);
      const first = await claimAll(storage, { leaseMs: 100 * hourMs });
      assert.deepEqual(sorted(eventIdsOf(first)), sorted(idsOf(heads)));
      // Whatever a storage does now and then with those that wait, it may want to do now.
      await advance(hourMs);
      const [claims, more] = await Promise.all([
        claim(second),
        claim(second),
        settleAll(
          storage,
          first.map((claimed) => result(claimed, 'delivered')),
        ),
      ]);
      const all = [...claims, ...more, ...(await claimAll(storage))];
      assert.deepEqual(sorted(eventIdsOf(all)), sorted(idsOf(nexts)), `round ${round}`);
      await settleAll(
        storage,
        all.map((claimed) => result(claimed, 'delivered')),
      );
    }
  },

  'what comes back claimed keeps the order of its key: it is the first of it, and nothing of it is in flight':
    async ({ storage }) => {
      await storage.webhooks.create(newWebhook());
      const handOff = async (...events: NewEvent[]): Promise<readonly Claim[]> =>
        (await storage.deliveries.publish(events, { claimFor: claimOptions() })).claims;
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

  'claims and events at once never put two of a key in flight': async ({ storage, second = storage }) => {
    await storage.webhooks.create(newWebhook());
    const handles = [storage, second];
    const flying = new Map<string, number>();
    const delivered: string[] = [];
    let published = 0;

    /** What is claimed or comes back claimed. */
    async function fly(handle: Storage<unknown>, claims: readonly Claim[]): Promise<void> {
      for (const { event } of claims) {
        const key = event.orderingKey!;
        assert.equal(flying.get(key) ?? 0, 0, `two of ${key} are in flight`);
        flying.set(key, 1);
      }
      await Promise.resolve();
      for (const claimed of claims) {
        flying.set(claimed.event.orderingKey!, 0);
        await deliver(handle, claimed);
        delivered.push(claimed.event.id);
      }
    }
    async function publishSome(i: number): Promise<void> {
      for (let n = 0; n < 5; n++) {
        const handle = handles[i % 2]!;
        const options = n % 2 === 0 ? {} : { claimFor: claimOptions({ isBegun: true }) };
        const { claims } = await handle.deliveries.publish(keyed(2, `key-${(i + n) % 3}`), options);
        published += 2;
        await handle.deliveries.begin(claims, 0);
        await fly(handle, claims);
      }
    }
    async function work(i: number): Promise<void> {
      for (let n = 0; n < 40; n++) await fly(handles[i % 2]!, await claim(handles[i % 2]!, { limit: 3 }));
    }
    await Promise.all([...[0, 1, 2, 3].map(publishSome), ...[0, 1, 2, 3].map(work)]);
    for (let rest = await claim(storage); rest.length > 0; rest = await claim(storage)) {
      for (const claimed of rest) await deliver(storage, claimed);
      delivered.push(...eventIdsOf(rest));
    }
    assert.equal(delivered.length, published);
    ok(new Set(delivered).size === published, 'each is delivered once');
  },
});

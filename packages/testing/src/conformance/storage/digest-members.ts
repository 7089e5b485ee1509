import assert from 'node:assert/strict';
import type { StorageAdapter } from '@posthorn/core';
import type { NewEvent } from '@posthorn/core/storage';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import { digestOf, gathering, idsIn, statusesOf, windowMs } from './digest-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  asRead,
  claim,
  claimAll,
  deliveriesOf,
  deliveryOf,
  hourMs,
  idsOf,
  minuteMs,
  newEvents,
  one,
  publish,
  result,
  settleAll,
  sorted,
} from './sample.js';

/** Resolves to the id of the only delivery of an event. */
const idOf = async (storage: StorageAdapter<unknown>, { id: eventId }: NewEvent): Promise<string> =>
  one(await deliveriesOf(storage, acme, { eventId })).id;

/** Rules for deliveries that leave a digest, and for the digest that they leave. */
export const digestMemberRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'a cancelled delivery leaves its digest, and the others are sent without it': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs })]);
    const second = one(await deliveriesOf(storage, acme, { eventId: events[1]!.id }));
    same(await storage.log.transition(acme, [second.id], 'cancelled'), [second.id]);
    await advance(2 * hourMs);
    const again = one(await claim(storage));
    same(idsIn(again), [events[0]!.id, events[2]!.id]);
    await settleAll(storage, [result(again, 'delivered')]);
    assert.deepEqual(sorted(await statusesOf(storage)), ['cancelled', 'delivered', 'delivered']);
  },

  'a digest without its first delivery keeps its identity': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs, checkpoint: 'm' })]);
    const first = await idOf(storage, events[0]!);
    same(await storage.log.transition(acme, [first], 'cancelled'), [first]);
    same(await claim(storage), []);
    await advance(2 * hourMs);
    const again = one(await claim(storage));
    same(idsIn(again), idsOf(events.slice(1)));
    same(again.event, asRead(events[1]!));
    assert.deepEqual(
      [again.deliveryId, again.attempt, again.attemptsBeforeRetry, again.checkpoint],
      [claimed.deliveryId, 2, 0, 'm'],
    );
    await settleAll(storage, [result(again, 'delivered')]);
    same(await statusesOf(storage), ['delivered', 'delivered', 'cancelled']);
  },

  'a delivery that is cancelled in flight leaves its digest, and the token stays valid for the others':
    async (under) => {
      const { storage, advance } = under;
      await gathering(storage);
      for (const gone of [0, 1, 2]) {
        const { events, claimed } = await digestOf(under, 3);
        const id = await idOf(storage, events[gone]!);
        same(await storage.log.transition(acme, [id], 'cancelled'), [id]);
        same(await claim(storage), []);
        assert.equal((await storage.deliveries.renew([claimed], 10 * hourMs)).length, 1);
        await advance(9 * hourMs);
        same(await claim(storage), []);
        await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs, checkpoint: 'm' })]);
        await advance(2 * hourMs);
        const again = one(await claim(storage));
        same(idsIn(again), idsOf(events.filter((_, i) => i !== gone)));
        assert.deepEqual([again.deliveryId, again.attempt, again.checkpoint], [claimed.deliveryId, 2, 'm']);
        await settleAll(storage, [result(again, 'delivered')]);
        const left = await deliveryOf(storage, id);
        assert.deepEqual([left.status, left.attempts], ['cancelled', 1]);
        same(await storage.log.attempts(acme, id), []);
      }
    },

  'a lost lease is over for the whole digest, even after a delivery has left it': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    const first = await idOf(storage, events[0]!);
    same(await storage.log.transition(acme, [first], 'cancelled'), [first]);
    await advance(2 * hourMs);
    const taken = one(await claim(storage));
    same(idsIn(taken), idsOf(events.slice(1)));
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [false]);
    same(await storage.deliveries.renew([claimed], hourMs), []);
    await settleAll(storage, [result(taken, 'delivered')]);
  },

  'a digest that all deliveries have left is gone, and its token is void': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 2);
    for (const event of events) {
      const id = await idOf(storage, event);
      same(await storage.log.transition(acme, [id], 'cancelled'), [id]);
    }
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [false]);
    same(await storage.deliveries.renew([claimed], hourMs), []);
    const waiting = await digestOf(under, 2);
    await settleAll(storage, [result(waiting.claimed, { status: 'pending', delayMs: hourMs })]);
    const both = await Promise.all(waiting.events.map((event) => idOf(storage, event)));
    assert.deepEqual(sorted(await storage.log.transition(acme, both, 'cancelled')), sorted(both));
    await advance(2 * hourMs);
    same(await claim(storage), []);
    assert.equal(await storage.log.prune({ olderThanMs: minuteMs, limit: 10 }), 4);
  },

  'a digest keeps its id: a delivery that left it and is retried manually gets another': async (under) => {
    const { storage } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    for (const event of events) {
      const id = await idOf(storage, event);
      await storage.log.transition(acme, [id], 'cancelled');
      same(await storage.log.transition(acme, [id], 'pending'), [id]);
      const alone = one(await claim(storage));
      assert.deepEqual([alone.deliveryId, alone.digest], [id, undefined]);
      assert.notEqual(alone.deliveryId, claimed.deliveryId);
      await settleAll(storage, [result(alone, 'delivered')]);
    }
  },

  'a delivery that is cancelled while it gathers is in no digest': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const events = newEvents(3);
    await publish(storage, ...events);
    const first = one(await deliveriesOf(storage, acme, { eventId: events[0]!.id }));
    same(await storage.log.transition(acme, [first.id], 'cancelled'), [first.id]);
    await advance(2 * windowMs);
    same(idsIn(one(await claim(storage))), idsOf(events.slice(1)));
  },

  'a manual retry is sent alone and at once': async (under) => {
    const { storage } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    await settleAll(storage, [result(claimed, 'delivered')]);
    const second = one(await deliveriesOf(storage, acme, { eventId: events[1]!.id }));
    same(await storage.log.transition(acme, [second.id], 'pending'), [second.id]);
    const alone = one(await claim(storage));
    assert.deepEqual([alone.deliveryId, alone.digest, alone.attempt], [second.id, undefined, 2]);
    await settleAll(storage, [result(alone, 'delivered')]);
  },

  'a manual retry of any delivery of a waiting digest makes the whole digest due, with a new schedule':
    async (under) => {
      const { storage } = under;
      await gathering(storage);
      for (const asked of [0, 1]) {
        const { events, claimed } = await digestOf(under, 2);
        await settleAll(storage, [result(claimed, { status: 'pending', delayMs: 10 * hourMs })]);
        const id = await idOf(storage, events[asked]!);
        same(await storage.log.transition(acme, [id], 'pending'), [id]);
        const again = one(await claim(storage));
        same(idsIn(again), idsOf(events));
        assert.deepEqual(
          [again.deliveryId, again.attempt, again.attemptsBeforeRetry],
          [claimed.deliveryId, 2, 1],
        );
        same(await storage.log.transition(acme, [id], 'pending'), []);
        await settleAll(storage, [result(again, 'delivered')]);
        for (const event of events) {
          const { attempts, attemptsBeforeRetry } = await deliveryOf(storage, await idOf(storage, event));
          assert.deepEqual([attempts, attemptsBeforeRetry], [2, 1]);
        }
      }
    },

  'each delivery keeps the checkpoint of its digest, whenever it leaves': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    const ids = await Promise.all(events.map((event) => idOf(storage, event)));
    await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs, checkpoint: 'm' })]);
    await storage.log.transition(acme, ids.slice(0, 1), 'cancelled');
    await advance(2 * hourMs);
    await settleAll(storage, [result(one(await claim(storage)), 'dead')]);
    same(sorted(await storage.log.transition(acme, ids, 'pending')), sorted(ids));
    const claims = await claimAll(storage);
    assert.deepEqual(sorted(claims.map(({ deliveryId: id }) => id)), sorted(ids));
    same(
      claims.map(({ checkpoint }) => checkpoint),
      ['m', 'm', 'm'],
    );
  },

  'a gathering delivery can be retried manually, alone': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const events = newEvents(3);
    await publish(storage, ...events);
    const second = one(await deliveriesOf(storage, acme, { eventId: events[1]!.id }));
    same(await storage.log.transition(acme, [second.id], 'pending'), [second.id]);
    const alone = one(await claim(storage));
    assert.deepEqual([alone.deliveryId, alone.digest], [second.id, undefined]);
    await advance(2 * windowMs);
    same(idsIn((await claimAll(storage)).find(({ digest }) => digest)!), [events[0]!.id, events[2]!.id]);
  },
});

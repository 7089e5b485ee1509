import assert from 'node:assert/strict';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import { digestOf, gathering, idsIn, statusesOf, windowMs } from './digest-sample.js';
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
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  publish,
  release,
  result,
  settleAll,
} from './sample.js';

/** What happens to a digest that was sent. */
export const digestResultRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'a retried digest has the same events, whatever was published since': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    const later = newEvent();
    await publish(storage, later);
    await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs, checkpoint: 'm' })]);
    same(await statusesOf(storage), ['pending', 'pending', 'pending', 'pending']);
    await advance(3 * hourMs);
    const claims = await claimAll(storage);
    const again = claims.find(({ event }) => event.id === events[0]!.id)!;
    same(idsIn(again), idsOf(events));
    assert.deepEqual([again.attempt, again.checkpoint], [2, 'm']);
    same(idsIn(claims.find((other) => other !== again)!), [later.id]);
  },

  'so has a digest whose worker died, or released it': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events } = await digestOf(under, 3);
    await publish(storage, newEvent());
    await advance(2 * hourMs);
    const abandoned = (await claimAll(storage)).find(({ event }) => event.id === events[0]!.id)!;
    same(idsIn(abandoned), idsOf(events));
    assert.equal(abandoned.attempt, 2);
    await settleAll(storage, [release(abandoned)]);
    const released = one(await claimAll(storage));
    same(idsIn(released), idsOf(events));
    assert.equal(released.attempt, 2);
  },

  'a digest that is released with a delay has the same events afterwards, and counts no attempt': async (
    under,
  ) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    await settleAll(storage, [release(claimed, hourMs)]);
    same(
      (await deliveriesOf(storage)).map(({ status, attempts }) => [status, attempts]),
      [1, 2, 3].map(() => ['pending', 0]),
    );
    same(await claimAll(storage), []);
    await advance(2 * hourMs);
    const again = one(await claimAll(storage));
    same(idsIn(again), idsOf(events));
    assert.equal(again.attempt, 1);
  },

  'delivering a digest delivers each of its deliveries, with the attempt in the log': async (under) => {
    const { storage } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 3);
    await settleAll(storage, [result(claimed, 'delivered')]);
    const deliveries = await deliveriesOf(storage);
    same(
      deliveries.map(({ status, attempts }) => [status, attempts]),
      [1, 2, 3].map(() => ['delivered', 1]),
    );
    for (const { id } of deliveries) {
      const attempt = one(await storage.log.attempts(acme, id));
      assert.deepEqual([attempt.outcome, attempt.status, attempt.deliveryId], ['delivered', 200, id]);
    }
    same(await claimAll(storage), []);
  },

  'each delivery of a failed digest has the failures in its log, and is dead after the last one': async (
    under,
  ) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 2);
    await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs })]);
    await advance(2 * hourMs);
    await settleAll(storage, [result(one(await claim(storage)), 'dead')]);
    for (const { id, status, attempts } of await deliveriesOf(storage)) {
      assert.deepEqual([status, attempts], ['dead', 2]);
      const log = await storage.log.attempts(acme, id);
      same(
        log.map(({ number, outcome }) => [number, outcome]),
        [
          [1, 'failed'],
          [2, 'failed'],
        ],
      );
    }
  },

  'a lost token writes nothing for any of the deliveries': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 3);
    await advance(2 * hourMs);
    const taken = one(await claim(storage));
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [false]);
    same(await statusesOf(storage), ['sending', 'sending', 'sending']);
    same(await storage.deliveries.settle([result(taken, 'delivered')]), [true]);
  },

  'renewing the lease renews it for all of the deliveries': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 3);
    assert.equal((await storage.deliveries.renew([claimed], 10 * hourMs)).length, 1);
    await advance(9 * hourMs);
    same(await claim(storage), []);
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [true]);
  },

  'an event is not pruned while it gathers, and can be pruned afterwards': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 3);
    await advance(48 * hourMs);
    assert.equal(await storage.log.prune({ olderThanMs: hourMs, limit: 10 }), 0);
    const again = one(await claim(storage));
    await settleAll(storage, [result(again, 'delivered')]);
    assert.equal(await storage.log.prune({ olderThanMs: hourMs, limit: 10 }), 3);
    same(await eventsOf(storage), []);
    same(eventIdsOf([claimed]), eventIdsOf([again]));
  },

  'a failed digest begins the escalation for each of its events': async ({ storage, advance }) => {
    const first = newBinding({ digest: { window: windowMs, maxEvents: 100 } });
    const second = newBinding({ onlyAfter: { channel: first.id, failedAttempts: 1 } });
    await storage.webhooks.create(newWebhook({ channels: [first, second] }));
    const escalateTo = [second.id];
    const events = newEvents(3);
    await publish(storage, ...events);
    await advance(2 * windowMs);
    const claimed = one(await claim(storage));
    await settleAll(storage, [{ ...result(claimed, { status: 'pending', delayMs: hourMs }), escalateTo }]);
    const followUps = await claimAll(storage);
    assert.deepEqual(new Set(eventIdsOf(followUps)), new Set(idsOf(events)));
    same(
      followUps.map(({ binding }) => binding),
      [second, second, second],
    );
    await advance(2 * hourMs);
    const again = (await claimAll(storage)).find((one) => one.deliveryId === claimed.deliveryId)!;
    await settleAll(storage, [{ ...result(again, 'dead'), escalateTo }]);
    assert.equal((await deliveriesOf(storage)).length, 6);
  },
});

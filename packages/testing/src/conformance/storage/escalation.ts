import assert from 'node:assert/strict';
import type { ChannelBinding } from '@posthorn/core';
import type { Claim, Settlement } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  claim,
  claimAll,
  deliveriesOf,
  deliveryOf,
  eventIdsOf,
  eventsOf,
  hourMs,
  minuteMs,
  newBinding,
  newEvent,
  newWebhook,
  one,
  publish,
  result,
  settleAll,
} from './sample.js';

/** Creates a webhook whose second binding waits for the first one to fail. */
async function escalating({ storage }: StorageUnderTest): Promise<[ChannelBinding, ChannelBinding]> {
  const first = newBinding();
  const second = newBinding({ channel: 'email', onlyAfter: { channel: first.id, failedAttempts: 1 } });
  await storage.webhooks.create(newWebhook({ channels: [first, second] }));
  return [first, second];
}

/** A failure that begins `bindings`, with a retry in an hour. */
const failing = (claimed: Claim, ...bindings: readonly ChannelBinding[]): Settlement => ({
  ...result(claimed, { status: 'pending', delayMs: hourMs }),
  escalateTo: bindings.map(({ id }) => id),
});

export const escalationRules: readonly StorageRule[] = topic<StorageUnderTest>('escalation', {
  'a binding that waits for another gets no delivery when an event is published': async (under) => {
    const [first] = await escalating(under);
    const event = newEvent();
    const { published } = await under.storage.deliveries.publish([event]);
    same(published, [{ eventId: event.id, deliveries: 1 }]);
    assert.equal(one(await deliveriesOf(under.storage)).bindingId, first.id);
    assert.equal(one(await claimAll(under.storage)).binding?.id, first.id);
  },

  'a result that begins another binding makes its delivery due at once, with the event and no attempts':
    async (under) => {
      const { storage } = under;
      const [, second] = await escalating(under);
      const event = newEvent();
      await publish(storage, event);
      await settleAll(storage, [failing(one(await claim(storage)), second)]);
      const begun = one(await claim(storage));
      assert.deepEqual(
        [begun.event.id, begun.binding, begun.attempt, begun.attemptsBeforeRetry],
        [event.id, second, 1, 0],
      );
      assert.equal((await deliveryOf(storage, begun.deliveryId)).channel, 'email');
      await settleAll(storage, [result(begun, 'delivered')]);
      assert.deepEqual((await deliveriesOf(storage)).map(({ status }) => status).sort(), [
        'delivered',
        'pending',
      ]);
    },

  'a delivery that begins later has the createdAt of its event, and is due when it begins': async (under) => {
    const { storage, advance } = under;
    const [, second] = await escalating(under);
    await publish(storage, newEvent());
    const { createdAt } = one(await deliveriesOf(storage));
    await advance(hourMs);
    await settleAll(storage, [failing(one(await claim(storage)), second)]);
    const begun = (await deliveriesOf(storage)).find(({ bindingId }) => bindingId === second.id);
    same(begun?.createdAt, createdAt);
    const after = begun?.dueAt ? begun.dueAt.getTime() - createdAt.getTime() : Number.NaN;
    ok(after >= hourMs && after < hourMs + minuteMs, `due ${after} ms after the publication`);
  },

  'the last failure begins another binding, too': async (under) => {
    const { storage } = under;
    const [, second] = await escalating(under);
    await publish(storage, newEvent());
    const claimed = one(await claim(storage));
    await settleAll(storage, [{ ...result(claimed, 'dead'), escalateTo: [second.id] }]);
    assert.equal(one(await claim(storage)).binding?.id, second.id);
  },

  'it begins once, however often it is requested, and not again after it has ended': async (under) => {
    const { storage, advance } = under;
    const [first, second] = await escalating(under);
    await publish(storage, newEvent());
    await settleAll(storage, [failing(one(await claim(storage)), second)]);
    await advance(2 * hourMs);
    const both = await claimAll(storage);
    assert.equal(both.length, 2);
    const again = both.find(({ binding }) => binding?.id === first.id)!;
    const begun = both.find(({ binding }) => binding?.id === second.id)!;
    await settleAll(storage, [failing(again, second)]);
    await settleAll(storage, [result(begun, 'delivered')]);
    await advance(2 * hourMs);
    await settleAll(storage, [failing(one(await claimAll(storage)), second)]);
    assert.equal((await deliveriesOf(storage)).length, 2);
    await advance(2 * hourMs);
    assert.equal(one(await claimAll(storage)).binding?.id, first.id);
  },

  'publishing the event again returns its first result, whatever has begun since': async (under) => {
    const { storage } = under;
    const [, second] = await escalating(under);
    const event = newEvent();
    const first = await storage.deliveries.publish([event]);
    await settleAll(storage, [failing(one(await claim(storage)), second)]);
    same((await storage.deliveries.publish([event])).published, first.published);
    assert.equal((await deliveriesOf(storage)).length, 2);
  },

  'a lost token begins nothing': async (under) => {
    const { storage, advance } = under;
    const [, second] = await escalating(under);
    await publish(storage, newEvent());
    const lost = one(await claim(storage, { leaseMs: hourMs }));
    await advance(2 * hourMs);
    await claim(storage);
    same(await storage.deliveries.settle([failing(lost, second)]), [false]);
    assert.equal((await deliveriesOf(storage)).length, 1);
  },

  'a binding that the webhook no longer has does not begin, and the result is kept': async (under) => {
    const { storage } = under;
    await escalating(under);
    await publish(storage, newEvent());
    await settleAll(storage, [failing(one(await claim(storage)), newBinding())]);
    const { attempts } = one(await deliveriesOf(storage));
    assert.equal(attempts, 1);
  },

  'an event is not pruned while an escalated delivery of it is unfinished': async (under) => {
    const { storage, advance } = under;
    const [, second] = await escalating(under);
    await publish(storage, newEvent());
    const claimed = one(await claim(storage));
    await settleAll(storage, [{ ...result(claimed, 'dead'), escalateTo: [second.id] }]);
    await advance(48 * hourMs);
    assert.equal(await storage.log.prune({ olderThanMs: hourMs, limit: 10 }), 0);
    await settleAll(storage, [result(one(await claim(storage)), 'delivered')]);
    assert.equal(await storage.log.prune({ olderThanMs: hourMs, limit: 10 }), 1);
    same(await eventsOf(storage), []);
  },

  'many results in one call begin their own bindings each': async (under) => {
    const { storage } = under;
    const [, second] = await escalating(under);
    const events = [newEvent(), newEvent({ orderingKey: 'k' }), newEvent()];
    await publish(storage, ...events);
    const claims = await claimAll(storage);
    await settleAll(storage, [
      failing(claims.find(({ event }) => event.id === events[0]!.id)!, second),
      { ...result(claims.find(({ event }) => event.id === events[1]!.id)!, 'dead'), escalateTo: [second.id] },
      result(claims.find(({ event }) => event.id === events[2]!.id)!, 'delivered'),
    ]);
    assert.deepEqual(new Set(eventIdsOf(await claimAll(storage))), new Set([events[0]!.id, events[1]!.id]));
  },
});

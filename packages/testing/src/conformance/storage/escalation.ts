import assert from 'node:assert/strict';
import type { ChannelBinding, Claim, Settlement } from '@posthorn/core';
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

/** A webhook whose second binding waits for the first to fail. */
async function escalating({ storage }: StorageUnderTest): Promise<[ChannelBinding, ChannelBinding]> {
  const first = newBinding();
  const second = newBinding({ channel: 'email', onlyAfter: { channel: first.id, failedAttempts: 1 } });
  await storage.webhooks.create(newWebhook({ channels: [first, second] }));
  return [first, second];
}

/** A failure that begins `bindings`, and is tried again in an hour. */
const failing = (claimed: Claim, ...bindings: readonly ChannelBinding[]): Settlement => ({
  ...result(claimed, { status: 'pending', delayMs: hourMs }),
  begin: bindings.map(({ id }) => id),
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

  'a result that begins another binding makes it due at once, with the event and nothing tried': async (
    under,
  ) => {
    const { storage } = under;
    const [, second] = await escalating(under);
    const event = newEvent();
    await publish(storage, event);
    await settleAll(storage, [failing(one(await claim(storage)), second)]);
    const begun = one(await claim(storage));
    assert.deepEqual(
      [begun.event.id, begun.binding, begun.attempt, begun.attemptsBefore],
      [event.id, second, 1, 0],
    );
    assert.equal((await deliveryOf(storage, begun.deliveryId)).channel, 'email');
    await settleAll(storage, [result(begun, 'delivered')]);
    assert.deepEqual((await deliveriesOf(storage)).map(({ status }) => status).sort(), [
      'delivered',
      'pending',
    ]);
  },

  'what begins later was created when its event was published, and is due when it begins': async (under) => {
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
    await settleAll(storage, [{ ...result(claimed, 'dead'), begin: [second.id] }]);
    assert.equal(one(await claim(storage)).binding?.id, second.id);
  },

  'it begins once, however often it is asked for, and not again when it has ended': async (under) => {
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

  'an event that is published again has its first result, whatever has begun since': async (under) => {
    const { storage } = under;
    const [, second] = await escalating(under);
    const event = newEvent();
    const first = await storage.deliveries.publish([event]);
    await settleAll(storage, [failing(one(await claim(storage)), second)]);
    same((await storage.deliveries.publish([event])).published, first.published);
    assert.equal((await deliveriesOf(storage)).length, 2);
  },

  'where the token is lost nothing begins': async (under) => {
    const { storage, advance } = under;
    const [, second] = await escalating(under);
    await publish(storage, newEvent());
    const lost = one(await claim(storage, { leaseMs: hourMs }));
    await advance(2 * hourMs);
    await claim(storage);
    same(await storage.deliveries.settle([failing(lost, second)]), [false]);
    assert.equal((await deliveriesOf(storage)).length, 1);
  },

  'a binding that the webhook has no more does not begin, and the result is kept': async (under) => {
    const { storage } = under;
    await escalating(under);
    await publish(storage, newEvent());
    await settleAll(storage, [failing(one(await claim(storage)), newBinding())]);
    const { attempts } = one(await deliveriesOf(storage));
    assert.equal(attempts, 1);
  },

  'an event is not forgotten while what has begun for it is not finished': async (under) => {
    const { storage, advance } = under;
    const [, second] = await escalating(under);
    await publish(storage, newEvent());
    const claimed = one(await claim(storage));
    await settleAll(storage, [{ ...result(claimed, 'dead'), begin: [second.id] }]);
    await advance(48 * hourMs);
    assert.equal(await storage.log.prune({ olderThanMs: hourMs, limit: 10 }), 0);
    await settleAll(storage, [result(one(await claim(storage)), 'delivered')]);
    assert.equal(await storage.log.prune({ olderThanMs: hourMs, limit: 10 }), 1);
    same(await eventsOf(storage), []);
  },

  'many results at once begin each its own': async (under) => {
    const { storage } = under;
    const [, second] = await escalating(under);
    const events = [newEvent(), newEvent({ orderingKey: 'k' }), newEvent()];
    await publish(storage, ...events);
    const claims = await claimAll(storage);
    await settleAll(storage, [
      failing(claims.find(({ event }) => event.id === events[0]!.id)!, second),
      { ...result(claims.find(({ event }) => event.id === events[1]!.id)!, 'dead'), begin: [second.id] },
      result(claims.find(({ event }) => event.id === events[2]!.id)!, 'delivered'),
    ]);
    assert.deepEqual(new Set(eventIdsOf(await claimAll(storage))), new Set([events[0]!.id, events[1]!.id]));
  },
});

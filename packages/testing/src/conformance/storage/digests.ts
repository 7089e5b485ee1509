import assert from 'node:assert/strict';
import type { ChannelBinding, Claim, NewEvent, Storage } from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  asRead,
  claim,
  claimAll,
  claimOptions,
  deliveriesOf,
  eventIdsOf,
  eventsOf,
  hourMs,
  idsOf,
  minuteMs,
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

export const windowMs = hourMs;

/** A webhook that wants what happens within an hour as one message. */
export async function gathering(
  storage: Storage<unknown>,
  maxEvents = 100,
  others: readonly ChannelBinding[] = [],
): Promise<ChannelBinding> {
  const binding = newBinding({ digest: { window: windowMs, maxEvents } });
  await storage.webhooks.create(newWebhook({ channels: [binding, ...others] }));
  return binding;
}

/** The ids of a digest's events. */
export const idsIn = ({ digest }: Claim): string[] => idsOf(digest ?? []);

/** Publishes so many, and claims the digest that they are. */
export async function digestOf(
  { storage, advance }: StorageUnderTest,
  count: number,
): Promise<{ events: NewEvent[]; claimed: Claim }> {
  const events = newEvents(count);
  await publish(storage, ...events);
  await advance(2 * windowMs);
  return { events, claimed: one(await claim(storage)) };
}

export const statusesOf = async (storage: Storage<unknown>): Promise<string[]> =>
  (await deliveriesOf(storage)).map(({ status }) => status);

export const digestRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'what gathers is claimed by nobody before its window is over': async ({ storage, advance }) => {
    await gathering(storage);
    const { published, claims } = await storage.deliveries.publish(newEvents(3), {
      claimFor: claimOptions(),
    });
    same(
      published.map(({ deliveries }) => deliveries),
      [1, 1, 1],
    );
    same(claims, []);
    same(await claim(storage), []);
    await advance(windowMs - 2 * minuteMs);
    same(await claim(storage), []);
    same(await statusesOf(storage), ['pending', 'pending', 'pending']);
  },

  'then it is one claim, with all its events in the order of publication': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const events = [newEvent({ subject: { type: 'order', id: 'o1' } }), newEvent(), newEvent()];
    await publish(storage, events[0]!);
    await advance(windowMs / 2);
    await publish(storage, events[1]!, events[2]!);
    await advance(windowMs / 2 + minuteMs);
    const claimed = one(await claim(storage));
    same(claimed.digest, events.map(asRead));
    same(claimed.event, asRead(events[0]!));
    assert.equal(claimed.attempt, 1);
    same(await statusesOf(storage), ['sending', 'sending', 'sending']);
    same(await claim(storage), []);
  },

  'a single event is a digest, too': async (under) => {
    await gathering(under.storage);
    const { events, claimed } = await digestOf(under, 1);
    same(idsIn(claimed), idsOf(events));
  },

  'as soon as there are enough they go, and no more than that in one': async ({ storage, advance }) => {
    await gathering(storage, 3);
    const events = newEvents(8);
    await publish(storage, events[0]!, events[1]!);
    same(await claim(storage), []);
    for (const event of events.slice(2, 4)) await publish(storage, event);
    const first = one(await claimAll(storage));
    same(idsIn(first), idsOf(events.slice(0, 3)));
    await publish(storage, ...events.slice(4));
    const second = one(await claimAll(storage));
    same(idsIn(second), idsOf(events.slice(3, 6)));
    await settleAll(storage, [result(first, 'delivered'), result(second, 'delivered')]);
    await advance(2 * windowMs);
    same(idsIn(one(await claimAll(storage))), idsOf(events.slice(6)));
  },

  'what is published at once is as many digests as it fills, and the rest gathers': async (under) => {
    const { storage, advance } = under;
    await gathering(storage, 3);
    const events = newEvents(7);
    await publish(storage, ...events);
    const claims = await claim(storage);
    same(claims.map(idsIn), [idsOf(events.slice(0, 3)), idsOf(events.slice(3, 6))]);
    await settleAll(
      storage,
      claims.map((claimed) => result(claimed, 'delivered')),
    );
    await advance(2 * windowMs);
    same(idsIn(one(await claim(storage))), [events[6]!.id]);
  },

  'what begins after a failure gathers, too, until there are enough or its window is over': async (under) => {
    const { storage, advance } = under;
    const first = newBinding();
    const onlyAfter = { channel: first.id, failedAttempts: 1 };
    const second = newBinding({ onlyAfter, digest: { window: windowMs, maxEvents: 3 } });
    await storage.webhooks.create(newWebhook({ channels: [first, second] }));
    const events = newEvents(5);
    const beginning = async (...some: readonly NewEvent[]) => {
      await publish(storage, ...some);
      const dead = (await claim(storage)).map((claimed) => ({
        ...result(claimed, 'dead'),
        begin: [second.id],
      }));
      await settleAll(storage, dead);
    };
    await beginning(events[0]!);
    await beginning(events[1]!);
    same(await claim(storage), []);
    await beginning(...events.slice(2));
    const full = one(await claim(storage));
    same(full.binding, second);
    assert.equal(idsIn(full).length, 3);
    await settleAll(storage, [result(full, 'delivered')]);
    await advance(2 * windowMs);
    const rest = one(await claim(storage));
    assert.deepEqual(sorted([...idsIn(full), ...idsIn(rest)]), idsOf(events));
  },

  'a limit that is lowered is one for what has gathered, too': async ({ storage }) => {
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 100 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const events = newEvents(5);
    await publish(storage, ...events);
    same(await claim(storage), []);
    const channels = [{ ...binding, digest: { window: windowMs, maxEvents: 2 } }];
    await storage.webhooks.update(acme, webhook.id, webhook.version, { channels });
    same((await claimAll(storage)).map(idsIn), [idsOf(events.slice(0, 2)), idsOf(events.slice(2, 4))]);
  },

  'what has gathered is divided by the limit that holds when it goes': async ({ storage, advance }) => {
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 100 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const events = newEvents(5);
    await publish(storage, ...events);
    const channels = [{ ...binding, digest: { window: windowMs, maxEvents: 2 } }];
    await storage.webhooks.update(acme, webhook.id, webhook.version, { channels });
    await advance(2 * windowMs);
    const claims = await claimAll(storage);
    same(claims.map(idsIn), [idsOf(events.slice(0, 2)), idsOf(events.slice(2, 4)), [events[4]!.id]]);
  },

  'a digest that is tried again has the same events, whatever was published since': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    const later = newEvent();
    await publish(storage, later);
    await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs, memo: 'm' })]);
    same(await statusesOf(storage), ['pending', 'pending', 'pending', 'pending']);
    await advance(3 * hourMs);
    const claims = await claimAll(storage);
    const again = claims.find(({ event }) => event.id === events[0]!.id)!;
    same(idsIn(again), idsOf(events));
    assert.deepEqual([again.attempt, again.memo], [2, 'm']);
    same(idsIn(claims.find((other) => other !== again)!), [later.id]);
  },

  'so has one whose worker died, or gave it back': async (under) => {
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

  'one that is released with a delay has the same events then, and counts for none': async (under) => {
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

  'when it is delivered each of its deliveries is, with the attempt on record': async (under) => {
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

  'after failures each of its deliveries has them on record, and is dead when the last was one': async (
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

  'a token that was lost writes nothing, of any of them': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 3);
    await advance(2 * hourMs);
    const taken = one(await claim(storage));
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [false]);
    same(await statusesOf(storage), ['sending', 'sending', 'sending']);
    same(await storage.deliveries.settle([result(taken, 'delivered')]), [true]);
  },

  'a lease that is renewed holds for all of them': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 3);
    assert.equal((await storage.deliveries.renew([claimed], 10 * hourMs)).length, 1);
    await advance(9 * hourMs);
    same(await claim(storage), []);
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [true]);
  },

  'other bindings of the webhook have the event at once': async ({ storage }) => {
    const other = newBinding();
    await gathering(storage, 100, [other]);
    await publish(storage, ...newEvents(2));
    const claims = await claimAll(storage);
    same(
      claims.map(({ binding, digest }) => [binding?.id, digest]),
      [
        [other.id, undefined],
        [other.id, undefined],
      ],
    );
  },

  'ordering keys hold nothing up in it': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const events = newEvents(2, { orderingKey: 'k' });
    await publish(storage, events[0]!);
    await advance(2 * windowMs);
    const first = one(await claim(storage));
    await publish(storage, events[1]!);
    await advance(2 * windowMs);
    const claims = await claimAll(storage);
    ok(
      claims.some((claimed) => idsIn(claimed).includes(events[1]!.id)),
      'the second does not wait for the first',
    );
    same(idsIn(first), [events[0]!.id]);
  },

  'a webhook that is deleted sends none of it': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 2);
    await publish(storage, newEvent());
    assert.equal(await storage.webhooks.delete(acme, claimed.webhook.id), true);
    await advance(2 * windowMs);
    same(await claimAll(storage), []);
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [false]);
    same(await statusesOf(storage), ['cancelled', 'cancelled', 'cancelled']);
  },

  'a webhook that is paused keeps it until it is active': async (under) => {
    const { storage, advance } = under;
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 100 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const events = newEvents(2);
    await publish(storage, ...events);
    const paused = await storage.webhooks.update(acme, webhook.id, webhook.version, { isActive: false });
    await advance(2 * windowMs);
    same(await claimAll(storage), []);
    await storage.webhooks.update(acme, webhook.id, paused!.version, { isActive: true });
    same(idsIn(one(await claimAll(storage))), idsOf(events));
  },

  'a window goes on while its webhook is paused, and is not over before its time': async (under) => {
    const { storage, advance } = under;
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 100 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const event = newEvent();
    await publish(storage, event);
    // Less than the minute of room that others leave: whoever is about to look must not see that as the end.
    await advance(windowMs - minuteMs / 2);
    let { version } = webhook;
    for (const isActive of [false, true, true]) {
      version = (await storage.webhooks.update(acme, webhook.id, version, { isActive }))!.version;
      same(await claim(storage), []);
    }
    await advance(minuteMs);
    same(idsIn(one(await claim(storage))), [event.id]);
  },

  'as many as are enough go as soon as their webhook is active again': async ({ storage }) => {
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 2 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const events = newEvents(2);
    await publish(storage, ...events);
    const paused = await storage.webhooks.update(acme, webhook.id, webhook.version, { isActive: false });
    same(await claim(storage), []);
    await storage.webhooks.update(acme, webhook.id, paused!.version, { isActive: true });
    same(idsIn(one(await claim(storage))), idsOf(events));
  },

  'of events that are published and claimed at once by many, each is in one digest': async (under) => {
    const { storage, second = storage, advance } = under;
    await gathering(storage, 7);
    const events = newEvents(100);
    await Promise.all(events.map((event, i) => (i % 2 === 0 ? storage : second).deliveries.publish([event])));
    await advance(2 * windowMs);
    const claims: Claim[] = [];
    for (let rounds = 0; rounds < 20; rounds++) {
      const both = await Promise.all([claimAll(storage), claimAll(second)]);
      claims.push(...both.flat());
    }
    for (const claimed of claims) ok(idsIn(claimed).length <= 7, `${idsIn(claimed).length} in a digest of 7`);
    assert.deepEqual(sorted(claims.flatMap(idsIn)), sorted(idsOf(events)));
  },

  'an event is not forgotten while it gathers, and then it is': async (under) => {
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
});

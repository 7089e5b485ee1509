import assert from 'node:assert/strict';
import type { Claim, NewEvent } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import { digestOf, gathering, idsIn, statusesOf, windowMs } from './digest-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  asRead,
  claim,
  claimAll,
  claimOptions,
  idsOf,
  minuteMs,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  publish,
  result,
  settleAll,
  sorted,
} from './sample.js';

/** What gathers into a digest, and when it is claimed. */
export const digestRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'gathering events are not claimed before their window ends': async ({ storage, advance }) => {
    await gathering(storage);
    const { published, claims } = await storage.deliveries.publish(newEvents(3), {
      prefetch: claimOptions(),
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

  'then they are one claim, with all events in the order of publication': async (under) => {
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

  'a full digest is claimed at once, with no more events than the limit': async ({ storage, advance }) => {
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

  'events published at once become as many digests as they fill, and the rest gathers': async (under) => {
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

  'escalated deliveries gather, too, until the digest is full or its window ends': async (under) => {
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
        escalateTo: [second.id],
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

  'other bindings of the webhook get the event at once': async ({ storage }) => {
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

  'ordering keys delay nothing in a digest': async (under) => {
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
      'the second event does not wait for the first',
    );
    same(idsIn(first), [events[0]!.id]);
  },

  'when many publish and claim at the same time, each event is in exactly one digest': async (under) => {
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
});

import assert from 'node:assert/strict';
import type { StorageAdapter } from '@posthorn/core';
import { type Claim, defaultDigestBytes, type NewEvent } from '@posthorn/core/storage';
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
  hourMs,
  idsOf,
  newBinding,
  newEvent,
  newWebhook,
  one,
  publish,
  result,
  settleAll,
} from './sample.js';

const maxBytes = 2_000;

/** Returns an event whose payload has `bytes` bytes, two for each letter. */
const sized = (bytes: number): NewEvent => newEvent({ payload: `"${'é'.repeat((bytes - 2) / 2)}"` });

/** Creates a webhook with the given limit on the bytes of a digest, or without one. */
async function limited(
  storage: StorageAdapter<unknown>,
  limit: { readonly maxBytes?: number },
): Promise<void> {
  const digest = { window: windowMs, maxEvents: 100, ...limit };
  await storage.webhooks.create(newWebhook({ channels: [newBinding({ digest })] }));
}

const split = (claimed: Claim) => result(claimed, { status: 'split' });

/** Returns the number of each attempt, without those before the digest was split. */
const triesOf = (claims: readonly Claim[]): number[] =>
  claims.map(({ attempt, attemptsBeforeRetry }) => attempt - attemptsBeforeRetry);

/** Sorts claims by the order of publication. */
const inOrder = (claims: readonly Claim[]): Claim[] =>
  claims.toSorted((one, other) => (one.event.id < other.event.id ? -1 : 1));

/** Rules for the size of a digest, and for one that is too large. */
export const digestSizeRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'a digest has at most the bytes of payload that its binding allows, and is due once it is full': async (
    under,
  ) => {
    const { storage, advance } = under;
    await limited(storage, { maxBytes });
    const events = [800, 1_000, 300, 1_200, 400, 900].map(sized);
    await publish(storage, ...events.slice(0, 2));
    same(await claim(storage), []);
    await publish(storage, events[2]!);
    same(idsIn(one(await claimAll(storage))), idsOf(events.slice(0, 2)));
    await publish(storage, ...events.slice(3));
    same(idsIn(one(await claimAll(storage))), idsOf(events.slice(2, 5)));
    await advance(2 * windowMs);
    const late = (await claimAll(storage)).filter(({ attempt }) => attempt === 1);
    assert.ok(late.some((claimed) => idsIn(claimed).join() === events[5]!.id));
  },

  'a digest with exactly the maximum number of bytes is full': async ({ storage }) => {
    await limited(storage, { maxBytes });
    const events = [1_200, 800].map(sized);
    await publish(storage, events[0]!);
    same(await claim(storage), []);
    await publish(storage, events[1]!);
    same(idsIn(one(await claim(storage))), idsOf(events));
  },

  'an event that is larger than the maximum is sent alone and at once': async ({ storage, advance }) => {
    await limited(storage, { maxBytes });
    const events = [200, 5_000, 200].map(sized);
    await publish(storage, ...events);
    const claims = inOrder(await claimAll(storage));
    same(
      claims.map(idsIn),
      events.slice(0, 2).map(({ id }) => [id]),
    );
    await settleAll(
      storage,
      claims.map((claimed) => result(claimed, 'delivered')),
    );
    await advance(2 * windowMs);
    same(idsIn(one(await claimAll(storage))), [events[2]!.id]);
  },

  'at the end of a window the gathered events become as many digests as their size needs': async ({
    storage,
    advance,
  }) => {
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 100, maxBytes: 100_000 } });
    const { id } = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const events = [900, 900, 900, 1_900, 200].map(sized);
    await publish(storage, ...events);
    same(await claim(storage), []);
    await storage.webhooks.update(acme, id, 1, {
      channels: [{ ...binding, digest: { window: windowMs, maxEvents: 100, maxBytes } }],
    });
    await advance(2 * windowMs);
    const [first, second, third, fourth, fifth] = idsOf(events);
    same(inOrder(await claimAll(storage)).map(idsIn), [[first, second], [third], [fourth], [fifth]]);
  },

  'a digest holds half a mebibyte by default': async ({ storage }) => {
    await limited(storage, {});
    const events = Array.from({ length: 4 }, () => sized(defaultDigestBytes / 4));
    await publish(storage, ...events.slice(0, 3));
    same(await claim(storage), []);
    await publish(storage, events[3]!);
    same(idsIn(one(await claim(storage))), idsOf(events));
  },

  'a delivery that begins after a failure counts with its size': async ({ storage }) => {
    const first = newBinding();
    const onlyAfter = { channel: first.id, failedAttempts: 1 };
    const second = newBinding({ onlyAfter, digest: { window: windowMs, maxEvents: 100, maxBytes } });
    await storage.webhooks.create(newWebhook({ channels: [first, second] }));
    const events = [1_200, 800].map(sized);
    await publish(storage, ...events);
    const dead = (await claim(storage)).map((one) => ({ ...result(one, 'dead'), escalateTo: [second.id] }));
    await settleAll(storage, dead.slice(0, 1));
    same(await claim(storage), []);
    await settleAll(storage, dead.slice(1));
    assert.deepEqual(new Set(idsIn(one(await claim(storage)))), new Set(idsOf(events)));
  },

  'a split digest becomes two halves, due at once and with a new schedule': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 5);
    await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs, checkpoint: 'm' })]);
    await advance(2 * hourMs);
    await settleAll(storage, [split(one(await claim(storage)))]);
    same(
      (await deliveriesOf(storage)).map(({ status }) => status),
      events.map(() => 'pending'),
    );
    const halves = inOrder(await claim(storage));
    same(halves.map(idsIn), [idsOf(events.slice(0, 3)), idsOf(events.slice(3))]);
    same(eventIdsOf(halves), [events[0]!.id, events[3]!.id]);
    same(triesOf(halves), [1, 1]);
    same(
      halves.map(({ checkpoint }) => checkpoint),
      ['m', 'm'],
    );
    const [former, latter] = halves.map(({ deliveryId }) => deliveryId);
    assert.equal(former, claimed.deliveryId);
    assert.notEqual(latter, former);
    same(await claim(storage), []);
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [false]);
  },

  'the halves of a digest are independent': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 4);
    await settleAll(storage, [split(claimed)]);
    const [former, latter] = inOrder(await claim(storage));
    await settleAll(storage, [
      result(former!, 'delivered'),
      result(latter!, { status: 'pending', delayMs: hourMs, checkpoint: 'm' }),
    ]);
    same(await statusesOf(storage), ['pending', 'pending', 'delivered', 'delivered']);
    await advance(2 * hourMs);
    const again = one(await claim(storage));
    same(idsIn(again), idsOf(events.slice(2)));
    assert.deepEqual([again.deliveryId, again.checkpoint], [latter!.deliveryId, 'm']);
    await settleAll(storage, [result(again, 'dead')]);
    same(await statusesOf(storage), ['dead', 'dead', 'delivered', 'delivered']);
    for (const { id, status } of await deliveriesOf(storage)) {
      const log = await storage.log.attempts(acme, id);
      assert.equal(log.length, status === 'dead' ? 3 : 2);
    }
  },

  'a half is split again, down to one event, which is retried alone': async (under) => {
    const { storage } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 3);
    await settleAll(storage, [split(claimed)]);
    await settleAll(storage, (await claim(storage)).map(split));
    const alone = inOrder(await claim(storage));
    same(
      alone.map(idsIn),
      events.map(({ id }) => [id]),
    );
    assert.equal(new Set(alone.map(({ deliveryId }) => deliveryId)).size, 3);
    await settleAll(storage, alone.map(split));
    const again = inOrder(await claim(storage));
    same(again.map(idsIn), alone.map(idsIn));
    await settleAll(
      storage,
      again.map((claimed) => result(claimed, 'delivered')),
    );
    same(await claim(storage), []);
    same(await statusesOf(storage), ['delivered', 'delivered', 'delivered']);
  },

  'a digest that some deliveries have left is split into halves of the others': async (under) => {
    const { storage } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 5);
    const gone = one(await deliveriesOf(storage, acme, { eventId: events[1]!.id }));
    same(await storage.log.transition(acme, [gone.id], 'cancelled'), [gone.id]);
    await settleAll(storage, [split(claimed)]);
    const [first, , third, fourth, fifth] = idsOf(events);
    same(inOrder(await claim(storage)).map(idsIn), [
      [first, third],
      [fourth, fifth],
    ]);
    same(await storage.log.attempts(acme, gone.id), []);
  },

  'a worker that lost the lease of a digest splits nothing': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { events, claimed } = await digestOf(under, 4);
    await advance(2 * hourMs);
    const taken = one(await claim(storage));
    same(await storage.deliveries.settle([split(claimed)]), [false]);
    await settleAll(storage, [result(taken, { status: 'pending', delayMs: 0 })]);
    same(idsIn(one(await claim(storage))), idsOf(events));
  },

  'a delivery without a digest is due at once after a split': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, newEvent());
    const claimed = one(await claim(storage));
    await settleAll(storage, [split(claimed)]);
    const again = one(await claim(storage));
    assert.equal(again.deliveryId, claimed.deliveryId);
    same(triesOf([again]), [1]);
  },
});

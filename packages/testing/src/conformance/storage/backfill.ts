import assert from 'node:assert/strict';
import type { StorageAdapter } from '@posthorn/core';
import {
  type BackfillSelection,
  type DeliveryStore,
  firstEventId,
  type NewEvent,
} from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import { idsIn } from './digest-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  deliverAll,
  deliveriesOf,
  globex,
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
import { eventsClaimed, waiting } from './waiting.js';

/** `deliveries.backfill` of the storage. */
function backfillOf({ deliveries }: StorageAdapter<unknown>): NonNullable<DeliveryStore['backfill']> {
  const { backfill } = deliveries;
  ok(backfill, 'the storage has no deliveries.backfill: skip the topic `replays`, and say why');
  return backfill;
}

const missed = (overrides: Partial<BackfillSelection> = {}): BackfillSelection => ({
  beforeEventId: 'evt_~',
  ...overrides,
});

/** Calls `backfill` until nothing is left; resolves to how many deliveries each call made. */
async function backfillAll(
  storage: StorageAdapter<unknown>,
  selection = missed(),
  limit = 100,
): Promise<number[]> {
  const counts: number[] = [];
  let cursor: string | null = null;
  do {
    const made = await backfillOf(storage)(acme, selection, { limit, cursor });
    ok(made.deliveries <= limit, `at most ${limit} deliveries are made, not ${made.deliveries}`);
    ok(counts.length < 1_000, 'the calls do not end');
    counts.push(made.deliveries);
    cursor = made.cursor;
  } while (cursor !== null);
  return counts;
}

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

async function countMissed(
  storage: StorageAdapter<unknown>,
  selection = missed(),
  tenantId = acme,
): Promise<number> {
  const counted = await backfillOf(storage)(tenantId, selection, { limit: 1, cursor: null, isDryRun: true });
  same(counted.cursor, null);
  return counted.deliveries;
}

/** What is made for events that are there already. */
export const backfillRules: readonly StorageRule[] = topic<StorageUnderTest>('replays', {
  'backfill makes what a webhook that was paused, or not there, would have had of an event': async ({
    storage,
  }) => {
    const paused = await storage.webhooks.create(newWebhook({ isActive: false }));
    const event = newEvent();
    await publish(storage, event);
    same(await deliveriesOf(storage), []);
    await storage.webhooks.update(acme, paused.id, paused.version, { isActive: true });
    const later = await storage.webhooks.create(newWebhook());
    assert.equal(await countMissed(storage), 2);
    same(await deliveriesOf(storage), []);
    assert.equal(sum(await backfillAll(storage)), 2);
    const made = await deliveriesOf(storage);
    assert.deepEqual(sorted(made.map(({ webhookId }) => webhookId)), sorted([paused.id, later.id]));
    for (const { status, attempts, eventId } of made) {
      same({ status, attempts, eventId }, { status: 'pending', attempts: 0, eventId: event.id });
    }
    const claims = await claimAll(storage);
    assert.deepEqual(sorted(claims.map(({ deliveryId }) => deliveryId)), sorted(idsOf(made)));
    same(claims[0]?.event.payload, event.payload);
  },

  'backfill makes one delivery of an event to a binding, wherever that stands, and however often it is called':
    async ({ storage }) => {
      await storage.webhooks.create(newWebhook());
      await publish(storage, newEvent());
      await deliverAll(storage);
      await publish(storage, newEvent());
      await waiting(storage);
      await publish(storage, newEvent());
      await claimAll(storage);
      await publish(storage, newEvent());
      const before = await deliveriesOf(storage);
      assert.equal(await countMissed(storage), 0);
      same(await backfillAll(storage), [0]);
      same(await deliveriesOf(storage), before);
      await storage.webhooks.create(newWebhook());
      assert.equal(sum(await backfillAll(storage)), 4);
      assert.equal(sum(await backfillAll(storage)), 0);
      await deliverAll(storage);
      assert.equal(sum(await backfillAll(storage)), 0);
      assert.equal((await deliveriesOf(storage)).length, 8);
    },

  'backfill makes none for a webhook that is paused or matches nothing, nor for a binding with `onlyAfter`':
    async ({ storage }) => {
      const event = newEvent();
      await publish(storage, event);
      await storage.webhooks.create(newWebhook({ isActive: false }));
      await storage.webhooks.create(
        newWebhook({ eventTypes: ['order.deleted', 'order', 'order.created.late'] }),
      );
      await storage.webhooks.create(newWebhook({ tenantId: globex }));
      const [first, second] = [newBinding(), newBinding({ channel: 'sms' })];
      const after = { ...second, onlyAfter: { channel: first.id, failedAttempts: 2 } };
      await storage.webhooks.create(newWebhook({ eventTypes: ['order.*', '*'], channels: [first, after] }));
      assert.equal(await countMissed(storage), 1);
      assert.equal(sum(await backfillAll(storage)), 1);
      same(
        (await deliveriesOf(storage)).map(({ bindingId }) => bindingId),
        [first.id],
      );
      same(await deliveriesOf(storage, globex), []);
    },

  'backfill keeps to its selection': async ({ storage }) => {
    const types = ['order.created', 'order.deleted', 'order.created', 'order.created'];
    const events = types.map((type) => newEvent({ type }));
    await publish(storage, ...events);
    const webhook = await storage.webhooks.create(newWebhook({ eventTypes: ['*'] }));
    await storage.webhooks.create(newWebhook({ eventTypes: ['*'] }));
    const selection = missed({
      eventType: 'order.created',
      webhookId: webhook.id,
      fromEventId: events[1]!.id,
      beforeEventId: events[3]!.id,
    });
    assert.equal(await countMissed(storage, selection), 1);
    assert.equal(sum(await backfillAll(storage, selection)), 1);
    const made = one(await deliveriesOf(storage));
    same([made.eventId, made.webhookId], [events[2]!.id, webhook.id]);
    assert.equal(await countMissed(storage, missed({ webhookId: webhook.id })), 3);
    assert.equal(await countMissed(storage, missed({ beforeEventId: firstEventId(0) })), 0);
  },

  'backfill sees and makes nothing of another tenant': async ({ storage }) => {
    const webhook = await storage.webhooks.create(newWebhook({ isActive: false }));
    await publish(storage, newEvent());
    await storage.webhooks.update(acme, webhook.id, webhook.version, { isActive: true });
    for (const stranger of [globex, 'ACME', 'acme ', 'acm_', '%', '__proto__']) {
      assert.equal(await countMissed(storage, missed({ webhookId: webhook.id }), stranger), 0);
      const made = await backfillOf(storage)(stranger, missed(), { limit: 10, cursor: null });
      same(made, { deliveries: 0, cursor: null });
    }
    same(await deliveriesOf(storage), []);
  },

  'backfill makes at most `limit` a call, of the oldest events first': async ({ storage }) => {
    const events = newEvents(3);
    await publish(storage, ...events);
    const channels = [newBinding(), newBinding()];
    await storage.webhooks.create(newWebhook({ channels }));
    const first = await backfillOf(storage)(acme, missed(), { limit: 3, cursor: null });
    assert.equal(first.deliveries, 3);
    const begun = (await deliveriesOf(storage)).map(({ eventId }) => eventId);
    same(begun, [events[1]!.id, events[0]!.id, events[0]!.id]);
    assert.equal(sum(await backfillAll(storage, missed(), 2)), 3);
    assert.equal((await deliveriesOf(storage)).length, 6);
  },

  'backfills at once make one delivery of an event to a binding, though it is sent before the other is done':
    async ({ storage, second = storage }) => {
      const events = newEvents(1_000);
      await publish(storage, ...events);
      for (let round = 0; round < 5; round++) {
        const { id } = await second.webhooks.create(newWebhook());
        const make = async (by: StorageAdapter<unknown>, fromEventId: string): Promise<number> => {
          const selection = missed({ webhookId: id, fromEventId });
          return (await backfillOf(by)(acme, selection, { limit: 1_000, cursor: null })).deliveries;
        };
        const makeLastAndSend = async (): Promise<number> => {
          const made = await make(second, events.at(-10)!.id);
          const claims = await claim(second, { isBegun: true });
          await settleAll(
            second,
            claims.map((claimed) => result(claimed, 'delivered')),
          );
          return made;
        };
        // The one that makes all has looked before the other has made the last few, and comes to them after.
        const [all, last] = await Promise.all([make(storage, events[0]!.id), makeLastAndSend()]);
        assert.equal(all + last, events.length, 'each is made once');
        await storage.webhooks.delete(acme, id);
      }
    },

  'what backfill makes goes in the order of its ordering key, behind what is there': async ({ storage }) => {
    const events = newEvents(4, { orderingKey: 'order-1' });
    await publish(storage, ...events.slice(0, 3));
    await storage.webhooks.create(newWebhook());
    await publish(storage, events[3]!);
    assert.equal(sum(await backfillAll(storage, missed(), 2)), 3);
    const [last, ...before] = [events[3]!, ...events.slice(0, 3)].map(({ id }) => id);
    same(await eventsClaimed(storage), [last, ...before]);
  },

  'what backfill makes for a binding with a digest gathers': async (under) => {
    const { storage, advance } = under;
    const events: NewEvent[] = newEvents(3);
    await publish(storage, ...events);
    const digest = { window: minuteMs as never, maxEvents: 100 };
    await storage.webhooks.create(newWebhook({ channels: [newBinding({ digest })] }));
    assert.equal(sum(await backfillAll(storage)), 3);
    same(await claim(storage), []);
    await advance(minuteMs);
    same(idsIn(one(await claim(storage))), idsOf(events));
  },

  'a digest of what backfill makes has no more bytes than its binding allows': async ({
    storage,
    advance,
  }) => {
    const events = newEvents(3, { payload: `"${'x'.repeat(498)}"` });
    await publish(storage, ...events);
    const digest = { window: minuteMs as never, maxEvents: 100, maxBytes: 1_000 };
    await storage.webhooks.create(newWebhook({ channels: [newBinding({ digest })] }));
    assert.equal(sum(await backfillAll(storage)), 3);
    same(idsIn(one(await claimAll(storage))), idsOf(events.slice(0, 2)));
    await advance(minuteMs);
    const late = (await claimAll(storage)).filter(({ attempt }) => attempt === 1);
    assert.ok(late.some((claimed) => idsIn(claimed).join() === events[2]!.id));
  },
});

import assert from 'node:assert/strict';
import type { NewEvent } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  eventIdsOf,
  globex,
  hourMs,
  idsOf,
  minuteMs,
  newEvent,
  newEvents,
  newWebhook,
  one,
  publish,
  result,
  sorted,
} from './sample.js';

/** Publishes one event a minute. */
async function publishMany({ storage, advance }: StorageUnderTest, count: number): Promise<NewEvent[]> {
  const events = newEvents(count);
  for (const event of events) {
    await publish(storage, event);
    await advance(minuteMs);
  }
  return events;
}

export const orderRules: readonly StorageRule[] = topic<StorageUnderTest>('order', {
  'within a webhook, the delivery that was due first goes first': async (under) => {
    await under.storage.webhooks.create(newWebhook());
    const ids = idsOf(await publishMany(under, 9));
    for (const [from, to] of [
      [0, 1],
      [1, 4],
      [4, 9],
    ] as const) {
      const claims = await claim(under.storage, { limit: to - from });
      assert.deepEqual(sorted(eventIdsOf(claims)), sorted(ids.slice(from, to)));
    }
  },

  'the webhook limit keeps the order': async (under) => {
    await under.storage.webhooks.create(newWebhook());
    const ids = idsOf(await publishMany(under, 4));
    for (const half of [ids.slice(0, 2), ids.slice(2)]) {
      const claims = await claim(under.storage, { webhookLimit: 2 });
      assert.deepEqual(sorted(eventIdsOf(claims)), sorted(half));
    }
  },

  'a retry is ordered by the time when it is due, not by its age': async (under) => {
    const { storage, advance } = under;
    await storage.webhooks.create(newWebhook());
    const old = newEvent();
    await publish(storage, old);
    const claimed = one(await claim(storage));
    await storage.deliveries.settle([result(claimed, { status: 'pending', delayMs: 2 * hourMs })]);
    await advance(hourMs);
    const young = newEvent();
    await publish(storage, young);
    await advance(2 * hourMs);
    const youngest = newEvent();
    await publish(storage, youngest);
    for (const { id } of [young, old, youngest]) {
      assert.equal(one(await claim(storage, { limit: 1 })).event.id, id);
    }
  },

  'a webhook with 1,000 queued deliveries delays another by at most a batch': async (under) => {
    const { storage, advance } = under;
    await storage.webhooks.create(newWebhook({ eventTypes: ['order.*'] }));
    await publish(storage, ...newEvents(1000));
    await advance(minuteMs);
    const invoice = newEvent({ type: 'invoice.paid' });
    const refund = newEvent({ type: 'refund.made' });
    for (const { type } of [invoice, refund])
      await storage.webhooks.create(newWebhook({ eventTypes: [type] }));
    await publish(storage, invoice, refund);
    const claims = [];
    for (let batch = 0; batch < 2; batch++) {
      claims.push(...(await claim(storage, { limit: 10, webhookLimit: 1000 })));
    }
    const reached = eventIdsOf(claims);
    ok(reached.includes(invoice.id) && reached.includes(refund.id), 'the others must have had their turn');
  },

  'webhooks take turns, also where a batch is smaller than their number': async (under) => {
    const { storage } = under;
    for (let i = 0; i < 20; i++) {
      await storage.webhooks.create(newWebhook());
    }
    await publish(storage, ...newEvents(20));
    const turns = new Map<string, number>();
    for (let batch = 0; batch < 12; batch++) {
      for (const { webhook } of await claim(storage, { limit: 5 })) {
        turns.set(webhook.id, (turns.get(webhook.id) ?? 0) + 1);
      }
    }
    assert.equal(turns.size, 20, `60 turns reached ${turns.size} of 20 webhooks`);
    ok(Math.max(...turns.values()) <= 6, 'none may have more than twice its share');
  },

  'a tenant with 300 webhooks and 3,000 queued deliveries delays another by at most a batch': async (
    under,
  ) => {
    const { storage, advance } = under;
    for (let i = 0; i < 300; i++) await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(10));
    one(await claim(storage, { limit: 1 }));
    await advance(minuteMs);
    await storage.webhooks.create(newWebhook({ tenantId: globex }));
    const theirs = newEvent({ tenantId: globex });
    await publish(storage, theirs);
    const claims = [...(await claim(storage, { limit: 10 })), ...(await claim(storage, { limit: 10 }))];
    ok(eventIdsOf(claims).includes(theirs.id), 'the other tenant must have had its turn');
  },

  'tenants have even shares, however many webhooks they have': async ({ storage }) => {
    for (let i = 0; i < 20; i++) await storage.webhooks.create(newWebhook());
    await storage.webhooks.create(newWebhook({ tenantId: globex }));
    await publish(storage, ...newEvents(20), ...newEvents(60, { tenantId: globex }));
    const turns = new Map([
      [acme, 0],
      [globex, 0],
    ]);
    for (let batch = 0; batch < 10; batch++) {
      for (const { event } of await claim(storage, { limit: 8 })) {
        turns.set(event.tenantId, turns.get(event.tenantId)! + 1);
      }
    }
    const [more, less] = [...turns.values()].sort((a, b) => b - a) as [number, number];
    ok(less >= 25 && more - less <= 10, `${turns.get(acme)} claims to ${turns.get(globex)}`);
  },

  'a late event of a new tenant waits for at most one turn of each other tenant': async ({ storage }) => {
    const tenants = Array.from({ length: 60 }, (_, i) => `tenant ${i}`);
    for (const tenantId of [...tenants, globex]) await storage.webhooks.create(newWebhook({ tenantId }));
    await publish(storage, ...tenants.flatMap((tenantId) => newEvents(5, { tenantId })));
    await claim(storage, { limit: 20 });
    const late = newEvent({ tenantId: globex });
    await publish(storage, late);
    const reached: string[] = [];
    // A round of 61 takes four claims. The previous claim may have begun the next round.
    for (let claims = 0; claims < 5; claims++) {
      reached.push(...eventIdsOf(await claim(storage, { limit: 20 })));
    }
    ok(reached.includes(late.id), 'none of 100 claims by turns of 61 tenants was of the new one');
  },

  'retries do not starve first attempts, nor the other way round': async ({ storage, advance }) => {
    await storage.webhooks.create(newWebhook());
    const old = newEvents(40);
    await publish(storage, ...old);
    const failed = [...(await claim(storage, { limit: 20 })), ...(await claim(storage, { limit: 20 }))];
    await storage.deliveries.settle(
      failed.map((claimed) => result(claimed, { status: 'pending', delayMs: hourMs })),
    );
    await advance(30 * minuteMs);
    const early = newEvents(5);
    await publish(storage, ...early);
    await advance(40 * minuteMs);
    const late = newEvents(5);
    await publish(storage, ...late);
    // In the order of due times, whatever the attempt: early, the retries, late.
    const first = await claim(storage, { limit: 5 });
    assert.deepEqual(sorted(eventIdsOf(first)), sorted(idsOf(early)));
    const rest: string[] = [];
    while (rest.length < failed.length) rest.push(...eventIdsOf(await claim(storage, { limit: 5 })));
    assert.deepEqual(sorted(rest), sorted(idsOf(old)));
    same(sorted(eventIdsOf(await claim(storage))), sorted(idsOf(late)));
  },
});

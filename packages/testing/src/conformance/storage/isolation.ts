import assert from 'node:assert/strict';
import type { StorageAdapter } from '@posthorn/core';
import type { DeliveryLog, NewEvent, WebhookRecord, WebhookStore } from '@posthorn/core/storage';
import { ok, rejectsWith, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { pagesOf } from './pages.js';
import {
  acme,
  claim,
  claimAll,
  deliverAll,
  deliveriesOf,
  eventIdsOf,
  eventsOf,
  globex,
  idsOf,
  newEvent,
  newWebhook,
  one,
  publish,
} from './sample.js';

/** What a tenant has, and what a stranger may know of it: every id. */
interface Owned {
  readonly storage: StorageAdapter<unknown>;
  readonly webhook: WebhookRecord;
  readonly events: readonly NewEvent[];
  /** One that is finished, then one that is pending. */
  readonly deliveryIds: readonly string[];
}

/** Calls a method in a stranger's name with the owner's ids, and checks that it misses. */
type StrangerCall = (owned: Owned, stranger: string) => Promise<void>;

/** Typed by the ports, so that a new method cannot be forgotten here. */
const strangerCalls: Record<keyof WebhookStore | Exclude<keyof DeliveryLog, 'prune'>, StrangerCall> = {
  async create({ storage, webhook }, tenantId) {
    await rejectsWith('conflict', storage.webhooks.create(newWebhook({ id: webhook.id, tenantId })));
  },
  async get({ storage, webhook }, tenantId) {
    assert.equal(await storage.webhooks.get(tenantId, webhook.id), undefined);
  },
  async list({ storage, webhook }, tenantId) {
    const { name, eventTypes: keys } = webhook;
    for (const filter of [{}, { isActive: true }, { keys }, { name }, { offset: 0 }]) {
      const page = await storage.webhooks.list(tenantId, { limit: 10, withTotal: true, ...filter });
      same(page, { items: [], nextCursor: null, total: 0 });
    }
  },
  async update({ storage, webhook }, tenantId) {
    const change = { name: 'Taken', isActive: false, channels: [], secrets: [] };
    assert.equal(await storage.webhooks.update(tenantId, webhook.id, 1, change), undefined);
  },
  async delete({ storage, webhook }, tenantId) {
    assert.equal(await storage.webhooks.delete(tenantId, webhook.id), false);
    assert.equal(await storage.webhooks.delete(tenantId, webhook.id, webhook.version), false);
  },
  async events({ storage, events }, tenantId) {
    const from = { fromEventId: events[0]!.id };
    for (const filter of [{}, { type: 'order.created' }, from, ...events.map(({ id }) => ({ id }))]) {
      same(await storage.log.events(tenantId, { limit: 10, ...filter }), { items: [], nextCursor: null });
    }
  },
  async deliveries({ storage, events, webhook, deliveryIds }, tenantId) {
    const byId = deliveryIds.map((id) => ({ id }));
    const byEvent = events.map(({ id }) => ({ eventId: id }));
    const fields = [
      { webhookId: webhook.id },
      { status: ['pending', 'delivered'] as const },
      { eventType: 'order.created' },
      { fromEventId: events[0]!.id },
    ];
    for (const filter of [{}, ...fields, ...byId, ...byEvent]) {
      same(await storage.log.deliveries(tenantId, { limit: 10, ...filter }), { items: [], nextCursor: null });
    }
  },
  async counts({ storage, events, webhook }, tenantId) {
    // Without it the engine counts what `deliveries` shows.
    if (!storage.log.counts) return;
    const none = { pending: 0, sending: 0, delivered: 0, dead: 0, cancelled: 0 };
    for (const selection of [{}, { webhookId: webhook.id }, { eventId: events[0]!.id }]) {
      same(await storage.log.counts(tenantId, selection, [events[1]!.id]), [none, none]);
    }
  },
  async attempts({ storage, deliveryIds }, tenantId) {
    for (const id of deliveryIds) same(await storage.log.attempts(tenantId, id), []);
  },
  async transition({ storage, deliveryIds }, tenantId) {
    same(await storage.log.transition(tenantId, deliveryIds, 'pending'), []);
    same(await storage.log.transition(tenantId, deliveryIds, 'cancelled'), []);
    same(await storage.log.transition(tenantId, deliveryIds, 'due'), []);
  },
};

/** Names that a careless comparison, or a careless object, takes for `acme` or for something else. */
export const strangers = [
  globex,
  'ACME',
  'acme ',
  'acm',
  'acm_',
  '%',
  "' or ''='",
  '__proto__',
  'constructor',
];

async function ownedByAcme(storage: StorageAdapter<unknown>): Promise<Owned> {
  const webhook = await storage.webhooks.create(newWebhook());
  const events = [newEvent(), newEvent()];
  await publish(storage, events[0]!);
  await deliverAll(storage);
  await publish(storage, events[1]!);
  const deliveryIds = [];
  for (const { id } of events) {
    deliveryIds.push(one(await deliveriesOf(storage, acme, { eventId: id })).id);
  }
  return { storage, webhook, events, deliveryIds };
}

/** All that a tenant can read. */
export async function viewOf(storage: StorageAdapter<unknown>, tenantId: string): Promise<unknown> {
  const deliveries = await deliveriesOf(storage, tenantId);
  return {
    webhooks: await pagesOf((page) => storage.webhooks.list(tenantId, page)),
    events: await eventsOf(storage, tenantId),
    deliveries,
    attempts: await Promise.all(deliveries.map(({ id }) => storage.log.attempts(tenantId, id))),
  };
}

export const oddTenants = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'acme',
  'Acme',
  'acme ',
  ' acme',
  'a/c',
  "a'c",
  'a"c',
  'a\\c',
  'a%',
  'a_',
  '$1',
  'null',
  '0',
  '\u00e9',
  'e\u0301',
  '📯',
  'n'.repeat(199),
  'n'.repeat(200),
];

export const isolationRules: readonly StorageRule[] = topic<StorageUnderTest>('isolation', {
  ...Object.fromEntries(
    Object.entries(strangerCalls).map(([method, call]) => [
      `${method} sees and changes nothing of another tenant`,
      async ({ storage }: StorageUnderTest) => {
        const owned = await ownedByAcme(storage);
        const before = await viewOf(storage, acme);
        for (const stranger of strangers) await call(owned, stranger);
        same(await viewOf(storage, acme), before);
        // What was pending is so still.
        assert.deepEqual(eventIdsOf(await claimAll(storage)), [owned.events[1]!.id]);
      },
    ]),
  ),

  "publish reaches nothing of another tenant, whatever it shares with that tenant's events": async (
    under,
  ) => {
    const { storage } = under;
    const { events } = await ownedByAcme(storage);
    const before = await viewOf(storage, acme);
    const [event] = events;
    for (const tenantId of strangers) {
      same(
        (await storage.deliveries.publish([newEvent({ tenantId })])).published.map((one) => one.deliveries),
        [0],
      );
      // Whether a taken id is refused is the storage's business; that it touches nothing is ours.
      await storage.deliveries.publish([newEvent({ tenantId, id: event!.id })]).catch(() => undefined);
    }
    same(await viewOf(storage, acme), before);
    assert.deepEqual(eventIdsOf(await claimAll(storage)), [events[1]!.id]);
    for (const tenantId of strangers) {
      const theirs = await eventsOf(storage, tenantId);
      ok(
        theirs.every((one) => one.tenantId === tenantId),
        `${tenantId} reads events of others`,
      );
      same(await deliveriesOf(storage, tenantId), []);
    }
  },

  'tenants whose names are alike or odd have each their own': async ({ storage }) => {
    const events = oddTenants.map((tenantId) => newEvent({ tenantId }));
    const webhooks = [];
    for (const tenantId of oddTenants) webhooks.push(await storage.webhooks.create(newWebhook({ tenantId })));
    await publish(storage, ...events);
    const claims = await claimAll(storage);
    assert.equal(claims.length, oddTenants.length);
    for (const [i, tenantId] of oddTenants.entries()) {
      assert.deepEqual(
        idsOf((await storage.webhooks.list(tenantId, { limit: 10 })).items),
        [webhooks[i]!.id],
        `the webhooks of ${tenantId}`,
      );
      assert.deepEqual(idsOf(await eventsOf(storage, tenantId)), [events[i]!.id]);
      const delivery = one(await deliveriesOf(storage, tenantId));
      assert.deepEqual([delivery.tenantId, delivery.webhookId], [tenantId, webhooks[i]!.id]);
      const claimed = one(claims.filter(({ webhook }) => webhook.tenantId === tenantId));
      assert.equal(claimed.event.id, events[i]!.id);
    }
  },

  'a tenant that takes the id of a deleted webhook gets nothing of what was its': async ({ storage }) => {
    const { webhook, deliveryIds } = await ownedByAcme(storage);
    await storage.webhooks.delete(acme, webhook.id);
    // Whether the id can be had again is the storage's business.
    await storage.webhooks.create(newWebhook({ id: webhook.id, tenantId: globex })).catch(() => undefined);
    same(await storage.log.transition(acme, deliveryIds, 'pending'), []);
    same(await storage.log.transition(globex, deliveryIds, 'pending'), []);
    same(await claim(storage), []);
    same(await deliveriesOf(storage, globex), []);
  },
});

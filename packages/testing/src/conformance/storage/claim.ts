import assert from 'node:assert/strict';
import { deliveryId } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  asRead,
  claim,
  claimAll,
  deliverAll,
  deliveryOf,
  eventIdsOf,
  globex,
  idsOf,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  sorted,
  take,
} from './sample.js';

export const claimRules: readonly StorageRule[] = topic<StorageUnderTest>('claim', {
  'a claim has everything that sending it needs': async ({ storage }) => {
    const { id, tenantId, name, secrets, channels } = await storage.webhooks.create(
      newWebhook({
        tenantId: globex,
        secrets: [
          { key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: null },
          { key: 'whsec_plJ3nmyCDGBKInavdOK15jslMfKQ9r8GK', expiresAt: new Date('2026-11-24T00:00:00Z') },
        ],
        channels: [newBinding({ configs: { url: 'https://example.com', headers: { 'x-a': 'ä' } } })],
      }),
    );
    const event = newEvent({
      tenantId: globex,
      occurredAt: new Date('1970-01-01T00:00:00.001Z'),
      namespaceId: 'ns "1"',
      subject: { type: 'order', id: '📯' },
      cacheScope: '{"b":1,"a":1.10}',
      idempotencyKey: 'k',
      fingerprint: 'f',
    });
    await publish(storage, event);
    const claimed = one(await claim(storage));
    same(claimed.event, asRead(event));
    const { webhook } = claimed;
    same(
      { id: webhook.id, tenantId: webhook.tenantId, name: webhook.name, secrets: webhook.secrets },
      { id, tenantId, name, secrets },
    );
    same(claimed.binding, one(channels));
    assert.equal(claimed.deliveryId, deliveryId(event.id, one(channels).id));
    assert.equal(claimed.attempt, 1);
    assert.equal(claimed.attemptsBeforeRetry, 0);
    ok(typeof claimed.token === 'string' && claimed.token.length > 0, 'a token must be a string');
  },

  'a claim counts no attempt, and sets the status to sending': async ({ storage }) => {
    const { deliveryId: id } = await oneDelivery(storage);
    const before = await deliveryOf(storage, id);
    await take(storage);
    same(await deliveryOf(storage, id), { ...before, status: 'sending', attempts: 0, dueAt: null });
  },

  'a claimed delivery is not claimed again, and every token is different': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const events = newEvents(30);
    await publish(storage, ...events);
    const claims = await claimAll(storage, { limit: 7 });
    assert.deepEqual(sorted(eventIdsOf(claims)), sorted(idsOf(events)));
    assert.equal(new Set(claims.map(({ token }) => token)).size, 30, 'tokens must be fresh');
    same(await claim(storage), []);
  },

  'a call returns at most `limit` claims, and at least one while any delivery is due': async ({
    storage,
  }) => {
    for (let i = 0; i < 3; i++) await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(4));
    let left = 12;
    for (const limit of [1, 5, 2, 3, 1]) {
      const { length } = await claim(storage, { limit });
      ok(length >= 1 && length <= limit, `${length} claims with a limit of ${limit}, ${left} are due`);
      left -= length;
    }
    assert.equal((await claimAll(storage)).length, left);
  },

  'nothing is claimed where nothing is due': async ({ storage }) => {
    same(await claim(storage), []);
    await storage.webhooks.create(newWebhook());
    same(await claim(storage), []);
    await publish(storage, newEvent());
    await deliverAll(storage);
    same(await claim(storage), []);
  },

  'a call returns at most `webhookLimit` claims of one webhook': async ({ storage }) => {
    const loud = await storage.webhooks.create(newWebhook({ eventTypes: ['order.*'] }));
    const quiet = await storage.webhooks.create(newWebhook({ eventTypes: ['invoice.*'] }));
    await publish(storage, ...newEvents(20), newEvent({ type: 'invoice.paid' }));
    const claims = await claim(storage, { webhookLimit: 3 });
    const of = ({ id }: { id: string }): number => claims.filter(({ webhook }) => webhook.id === id).length;
    ok(of(loud) >= 1 && of(loud) <= 3, `${of(loud)} claims with a webhook limit of 3`);
    assert.equal(of(quiet), 1);
  },

  'a webhook in `webhookRoom` may have more claims than `webhookLimit`, and no other may': async ({
    storage,
  }) => {
    const probed = await storage.webhooks.create(newWebhook({ eventTypes: ['order.*'] }));
    const other = await storage.webhooks.create(newWebhook({ eventTypes: ['order.*'] }));
    await publish(storage, ...newEvents(20));
    const claims = await claim(storage, { webhookLimit: 2, webhookRoom: new Map([[probed.id, 5]]) });
    const of = ({ id }: { id: string }): number => claims.filter(({ webhook }) => webhook.id === id).length;
    assert.deepEqual([of(probed), of(other)], [5, 2]);
  },

  'a call returns at most as many claims of a webhook as `webhookRoom` allows': async ({ storage }) => {
    const { id } = await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(20));
    assert.equal((await claim(storage, { webhookLimit: 5, webhookRoom: new Map([[id, 1]]) })).length, 1);
    same(await claim(storage, { webhookLimit: 5, webhookRoom: new Map([[id, 0]]) }), []);
  },

  'claims of other callers do not count towards the room': async ({ storage, second = storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(6));
    for (const caller of [storage, second, storage]) {
      assert.equal((await claim(caller, { webhookLimit: 2 })).length, 2);
    }
  },

  'a webhook at its limit does not delay others': async ({ storage }) => {
    const full = await storage.webhooks.create(newWebhook({ eventTypes: ['order.*'] }));
    await publish(storage, ...newEvents(50));
    await storage.webhooks.create(newWebhook({ eventTypes: ['invoice.*'] }));
    const invoice = newEvent({ type: 'invoice.paid' });
    await publish(storage, invoice);
    const claims = await claim(storage, { limit: 5, webhookLimit: 2, webhookRoom: new Map([[full.id, 0]]) });
    assert.deepEqual(eventIdsOf(claims), [invoice.id]);
  },

  'a call returns at most `tenantLimit` claims of one tenant, over all its webhooks': async ({ storage }) => {
    for (let i = 0; i < 4; i++) await storage.webhooks.create(newWebhook());
    await storage.webhooks.create(newWebhook({ tenantId: globex }));
    await publish(storage, ...newEvents(5), newEvent({ tenantId: globex }));
    const claims = await claim(storage, { tenantLimit: 3 });
    const of = (tenantId: string): number => claims.filter(({ event }) => event.tenantId === tenantId).length;
    ok(of(acme) >= 1 && of(acme) <= 3, `${of(acme)} claims with a tenant limit of 3`);
    assert.equal(of(globex), 1);
  },

  'a call returns at most as many claims of a tenant as `tenantRoom` allows, which may exceed `tenantLimit`':
    async ({ storage }) => {
      for (let i = 0; i < 2; i++) await storage.webhooks.create(newWebhook());
      await publish(storage, ...newEvents(10));
      const room = (count: number) => ({ tenantLimit: 5, tenantRoom: new Map([[acme, count]]) });
      same(await claim(storage, room(0)), []);
      const { length } = await claim(storage, room(2));
      ok(length >= 1 && length <= 2, `${length} claims with room for two`);
      const more = (await claim(storage, room(8))).length;
      ok(more > 5, `${more} claims with room for three more than the limit`);
    },

  'a tenant at its limit does not delay others': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(50));
    await storage.webhooks.create(newWebhook({ tenantId: globex }));
    const late = newEvent({ tenantId: globex });
    await publish(storage, late);
    const full = { tenantLimit: 2, tenantRoom: new Map([[acme, 0]]) };
    assert.deepEqual(eventIdsOf(await claim(storage, { limit: 5, ...full })), [late.id]);
  },

  'one call returns claims of several tenants, each with its own webhook': async ({ storage }) => {
    for (const tenantId of [acme, globex]) {
      await storage.webhooks.create(newWebhook({ tenantId, name: tenantId }));
      await publish(storage, newEvent({ tenantId, payload: JSON.stringify(tenantId) }));
    }
    const claims = await claimAll(storage);
    assert.deepEqual(sorted(claims.map(({ webhook }) => webhook.tenantId)), [acme, globex]);
    for (const { event, webhook } of claims) {
      assert.equal(event.tenantId, webhook.tenantId);
      assert.equal(webhook.name, webhook.tenantId);
      assert.equal(event.payload, JSON.stringify(webhook.tenantId));
    }
  },
});

import assert from 'node:assert/strict';
import { deliveryId } from '@posthorn/core/storage';
import { ok, rejectsWith, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  asRead,
  claimAll,
  deliverAll,
  deliveriesOf,
  eventIdsOf,
  eventsOf,
  globex,
  hourMs,
  idsOf,
  minuteMs,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  publish,
  sorted,
} from './sample.js';

export const publishRules: readonly StorageRule[] = topic<StorageUnderTest>('publish', {
  'an event gets a delivery for each channel binding of each webhook that matches': async ({ storage }) => {
    const two = await storage.webhooks.create(
      newWebhook({ channels: [newBinding(), newBinding({ channel: 'slack' })] }),
    );
    const three = await storage.webhooks.create(newWebhook({ eventTypes: ['order.*'] }));
    await storage.webhooks.create(newWebhook({ eventTypes: ['invoice.*'] }));
    const event = newEvent();
    const { published, claims, at } = await storage.deliveries.publish([event]);
    same([published, claims], [[{ eventId: event.id, deliveries: 3 }], []]);
    ok(at instanceof Date, 'the result must have the time');
    const bindings = [two, three].flatMap((webhook) =>
      webhook.channels.map((binding) => [webhook.id, binding.id, binding.channel]),
    );
    const deliveries = await deliveriesOf(storage);
    same(
      deliveries.map(({ webhookId, bindingId, channel }) => [webhookId, bindingId, channel]).sort(),
      bindings.sort(),
    );
  },

  'a delivery is pending and due at once, and its id is composed of its event and its binding': async (
    under,
  ) => {
    const { storage, advance } = under;
    const before = await storage.webhooks.create(newWebhook());
    await advance(hourMs);
    const event = newEvent();
    await publish(storage, event);
    const delivery = one(await deliveriesOf(storage));
    const binding = one(before.channels);
    same(delivery, {
      id: deliveryId(event.id, binding.id),
      tenantId: acme,
      eventId: event.id,
      eventType: event.type,
      webhookId: before.id,
      bindingId: binding.id,
      channel: 'webhook',
      status: 'pending',
      attempts: 0,
      attemptsBeforeRetry: 0,
      dueAt: delivery.dueAt,
      createdAt: delivery.createdAt,
      finishedAt: null,
    });
    ok(delivery.dueAt && delivery.dueAt <= delivery.createdAt, 'it must be due at once');
    const passed = delivery.createdAt.getTime() - before.createdAt.getTime();
    ok(passed >= hourMs && passed < hourMs + minuteMs, 'createdAt is set by the clock of the storage');
    assert.deepEqual(eventIdsOf(await claimAll(storage)), [event.id]);
  },

  'results are in the order of the events': async ({ storage }) => {
    await storage.webhooks.create(newWebhook({ eventTypes: ['order.*'] }));
    await storage.webhooks.create(newWebhook({ eventTypes: ['*'] }));
    await storage.webhooks.create(newWebhook({ tenantId: globex, eventTypes: ['*'] }));
    const events = [
      newEvent({ type: 'order.paid' }),
      newEvent({ type: 'invoice.paid' }),
      newEvent({ type: 'order.paid', tenantId: globex }),
      newEvent({ type: 'order.created' }),
      newEvent({ tenantId: 'no-webhooks' }),
    ];
    const { published } = await storage.deliveries.publish(events);
    same(
      published,
      [2, 1, 1, 2, 0].map((deliveries, i) => ({ eventId: events[i]!.id, deliveries })),
    );
  },

  'publishing no events does nothing': async ({ storage }) => {
    const { published, claims, at } = await storage.deliveries.publish([]);
    same([published, claims], [[], []]);
    ok(at instanceof Date, 'the result must have the time');
  },

  'an event without a matching webhook is stored, with no deliveries': async ({ storage }) => {
    const event = newEvent();
    same((await storage.deliveries.publish([event])).published, [{ eventId: event.id, deliveries: 0 }]);
    same(await eventsOf(storage), [asRead(event)]);
    same(await deliveriesOf(storage), []);
  },

  'a webhook created later gets no events that were published before': async ({ storage }) => {
    await publish(storage, newEvent());
    await storage.webhooks.create(newWebhook());
    same(await claimAll(storage), []);
  },

  'one call takes 500 events': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const events = newEvents(500);
    const { published } = await storage.deliveries.publish(events);
    same(
      published,
      events.map(({ id }) => ({ eventId: id, deliveries: 1 })),
    );
    const claims = await claimAll(storage, { webhookLimit: 1000 });
    assert.deepEqual(sorted(eventIdsOf(claims)), sorted(idsOf(events)));
  },

  'publishing a stored event changes nothing and returns the first result': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const event = newEvent();
    const first = await storage.deliveries.publish([event]);
    await storage.webhooks.create(newWebhook());
    const again = newEvent({ id: event.id, payload: '{"orderId":"another"}' });
    const other = newEvent();
    const second = await storage.deliveries.publish([again, other]);
    same(second.published, [...first.published, { eventId: other.id, deliveries: 2 }]);
    assert.equal((await deliveriesOf(storage, acme, { eventId: event.id })).length, 1);
    same((await storage.log.events(acme, { id: event.id, limit: 10 })).items, [asRead(event)]);
  },

  'publishing a stored event does not send it again, whatever happened to it': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const event = newEvent();
    const first = await storage.deliveries.publish([event]);
    await deliverAll(storage);
    same((await storage.deliveries.publish([event])).published, first.published);
    same(await claimAll(storage), []);
    assert.equal(one(await deliveriesOf(storage)).status, 'delivered');
  },

  'an event that occurs twice in a call is stored once': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const event = newEvent();
    const { published } = await storage.deliveries.publish([event, newEvent(), event]);
    assert.equal(published.length, 3);
    same(published[2], published[0]);
    assert.equal((await deliveriesOf(storage, acme, { eventId: event.id })).length, 1);
    assert.equal((await claimAll(storage)).length, 2);
  },

  'where one event is refused, nothing of the call is stored': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const key = { idempotencyKey: 'k', fingerprint: 'one' };
    const stored = newEvent(key);
    await publish(storage, stored);
    const refused = newEvent({ ...key, fingerprint: 'another' });
    const calls = [
      [refused, ...newEvents(3)],
      [...newEvents(3), refused],
      [newEvent(), refused, newEvent({ tenantId: globex })],
    ];
    for (const call of calls) {
      await rejectsWith('idempotency_conflict', storage.deliveries.publish(call));
      same(idsOf(await eventsOf(storage)), [stored.id]);
      same(idsOf(await eventsOf(storage, globex)), []);
    }
    assert.deepEqual(eventIdsOf(await claimAll(storage)), [stored.id]);
  },

  'the events of a refused call can be published afterwards': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, newEvent({ idempotencyKey: 'k', fingerprint: 'one' }));
    const fresh = newEvent({ idempotencyKey: 'fresh', fingerprint: 'one' });
    const refused = newEvent({ idempotencyKey: 'k', fingerprint: 'another' });
    await rejectsWith('idempotency_conflict', storage.deliveries.publish([fresh, refused]));
    // Neither its id nor its key may be kept.
    const other = newEvent({ idempotencyKey: 'fresh', fingerprint: 'two' });
    const sameId = newEvent({ id: fresh.id, payload: '{}' });
    same((await storage.deliveries.publish([other, sameId])).published, [
      { eventId: other.id, deliveries: 1 },
      { eventId: fresh.id, deliveries: 1 },
    ]);
    same((await storage.log.events(acme, { id: fresh.id, limit: 1 })).items, [asRead(sameId)]);
  },
});

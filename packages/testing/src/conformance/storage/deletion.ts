import assert from 'node:assert/strict';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  asRead,
  attemptOf,
  claim,
  claimAll,
  deliveriesOf,
  deliveryOf,
  eventsOf,
  hourMs,
  minuteMs,
  newEvent,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  result,
  settleAll,
} from './sample.js';

export const deletionRules: readonly StorageRule[] = topic<StorageUnderTest>('deletion', {
  'delete cancels what is not finished: what is due, what waits and what is under way': async (under) => {
    const { storage, advance } = under;
    const webhook = await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(2));
    const [waiting, sending] = await claimAll(storage);
    await storage.deliveries.settle([result(waiting!, { status: 'pending', delayMs: hourMs })]);
    await publish(storage, newEvent());
    await advance(minuteMs);
    const before = await deliveriesOf(storage);
    await storage.webhooks.delete(acme, webhook.id);
    const after = await deliveriesOf(storage);
    assert.equal(after.length, 3);
    for (const delivery of after) {
      const { status: _status, dueAt: _dueAt, finishedAt, ...rest } = delivery;
      same(delivery, { ...rest, status: 'cancelled', dueAt: null, finishedAt });
      const took = finishedAt ? finishedAt.getTime() - delivery.createdAt.getTime() : Number.NaN;
      ok(took >= minuteMs && took < 2 * minuteMs, 'finishedAt is the time of the deletion');
    }
    const attempts = (list: typeof before) => list.map(({ id, attempts }) => `${id} ${attempts}`).sort();
    assert.deepEqual(attempts(after), attempts(before));
    await advance(10 * hourMs);
    same(await claimAll(storage), []);
    same(await storage.deliveries.renew([sending!], hourMs), []);
  },

  'a late result of a deleted webhook writes nothing': async ({ storage }) => {
    const { webhook, deliveryId } = await oneDelivery(storage);
    const claimed = one(await claim(storage));
    await storage.webhooks.delete(acme, webhook.id);
    const before = await deliveryOf(storage, deliveryId);
    same(await storage.deliveries.settle([result(claimed, 'delivered')]), [false]);
    same(await deliveryOf(storage, deliveryId), before);
    same(await storage.log.attempts(acme, deliveryId), []);
  },

  'the log keeps the events and attempts of a deleted webhook': async ({ storage }) => {
    const webhook = await storage.webhooks.create(newWebhook());
    const event = newEvent();
    await publish(storage, event);
    const claimed = one(await claim(storage));
    const attempt = attemptOf(claimed);
    await storage.deliveries.settle([{ claim: claimed, next: { status: 'delivered' }, attempt }]);
    const delivery = await deliveryOf(storage, claimed.deliveryId);
    await storage.webhooks.delete(acme, webhook.id);
    same(await eventsOf(storage), [asRead(event)]);
    same(await deliveriesOf(storage, acme, { webhookId: webhook.id }), [delivery]);
    same(await storage.log.attempts(acme, claimed.deliveryId), [attempt]);
  },

  'reusing the id of a deleted webhook brings nothing back': async (under) => {
    const { storage, advance } = under;
    const old = await storage.webhooks.create(newWebhook({ name: 'Old', eventTypes: ['*'] }));
    await publish(storage, ...newEvents(4));
    const [sending, waiting, delivered] = await claimAll(storage);
    await settleAll(storage, [
      result(waiting!, { status: 'pending', delayMs: hourMs, checkpoint: 'old' }),
      result(delivered!, 'delivered'),
    ]);
    await publish(storage, newEvent());
    const reason = { isActive: false, disabledReason: 'answered 410' };
    await storage.webhooks.update(acme, old.id, 1, reason);
    await storage.webhooks.delete(acme, old.id);
    const before = await deliveriesOf(storage);
    await advance(minuteMs);
    // Even with the same binding ids, only deliveries of later events belong to the new webhook.
    const given = newWebhook({ id: old.id, name: 'New', channels: old.channels });
    const taken = await storage.webhooks.create(given);
    const { createdAt } = taken;
    same(taken, { ...given, disabledReason: null, version: 1, createdAt, updatedAt: createdAt });
    const later = createdAt.getTime() - old.createdAt.getTime();
    ok(
      later >= minuteMs && later < 2 * minuteMs,
      `created ${later} ms after the webhook that had the id before`,
    );
    same(await storage.webhooks.get(acme, old.id), taken);
    await advance(10 * hourMs);
    same(await claimAll(storage), []);
    same(await deliveriesOf(storage), before);
    same(await storage.deliveries.renew([sending!], hourMs), []);
    same(await storage.deliveries.settle([result(sending!, 'delivered')]), [false]);
    const [unmatched, matched] = [newEvent({ type: 'invoice.paid' }), newEvent()];
    await publish(storage, unmatched, matched);
    const claimed = one(await claimAll(storage));
    assert.deepEqual([claimed.event.id, claimed.webhook.name, claimed.attempt], [matched.id, 'New', 1]);
    assert.equal(claimed.checkpoint, undefined);
  },

  'delete leaves the deliveries of other webhooks alone': async ({ storage }) => {
    const gone = await storage.webhooks.create(newWebhook());
    const kept = await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(3));
    await storage.webhooks.delete(acme, gone.id);
    const claims = await claimAll(storage);
    assert.equal(claims.length, 3);
    ok(
      claims.every(({ webhook }) => webhook.id === kept.id),
      'the claims are of the other webhook',
    );
    await settleAll(
      storage,
      claims.map((claimed) => result(claimed, 'delivered')),
    );
  },

  'a paused webhook can be deleted, which cancels its waiting deliveries': async ({ storage }) => {
    const { webhook, deliveryId } = await oneDelivery(storage);
    await storage.webhooks.update(acme, webhook.id, 1, { isActive: false });
    assert.equal(await storage.webhooks.delete(acme, webhook.id), true);
    assert.equal((await deliveryOf(storage, deliveryId)).status, 'cancelled');
  },

  'with another version than the stored one nothing is deleted, and nothing cancelled': async ({
    storage,
  }) => {
    const { webhook, deliveryId } = await oneDelivery(storage);
    await storage.webhooks.update(acme, webhook.id, 1, { name: 'Changed' });
    for (const version of [1, 3, 0]) {
      assert.equal(await storage.webhooks.delete(acme, webhook.id, version), false);
    }
    assert.equal((await storage.webhooks.get(acme, webhook.id))?.name, 'Changed');
    assert.equal((await deliveryOf(storage, deliveryId)).status, 'pending');
    assert.equal(await storage.webhooks.delete(acme, webhook.id, 2), true);
    assert.equal(await storage.webhooks.get(acme, webhook.id), undefined);
    assert.equal((await deliveryOf(storage, deliveryId)).status, 'cancelled');
    assert.equal(await storage.webhooks.delete(acme, webhook.id, 2), false);
  },
});

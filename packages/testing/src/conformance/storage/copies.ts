import { ok, same } from '../assertions.js';
import { frozen } from '../frozen.js';
import { topic } from '../rule.js';
import { vandalise } from '../vandalise.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  asRead,
  attemptOf,
  claim,
  deliveriesOf,
  eventsOf,
  hourMs,
  newBinding,
  newEvent,
  newWebhook,
  one,
  oneDelivery,
  result,
} from './sample.js';

const richWebhook = () =>
  newWebhook({
    eventTypes: ['order.*', 'order.created'],
    channels: [newBinding({ configs: { url: 'https://example.com', headers: { 'x-a': '1' }, tags: ['a'] } })],
    secrets: [{ key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: new Date('2026-11-24T00:00:00Z') }],
  });

const richEvent = () =>
  newEvent({ subject: { type: 'order', id: 'o1' }, namespaceId: 'n', cacheScope: '{}' });

export const copiesRules: readonly StorageRule[] = topic<StorageUnderTest>('copies', {
  'changing an argument of create or update does not change the stored webhook': async ({ storage }) => {
    const given = richWebhook();
    const expected = { ...structuredClone(given), disabledReason: null };
    const created = await storage.webhooks.create(given);
    vandalise(given);
    same(await storage.webhooks.get(acme, expected.id), {
      ...expected,
      version: 1,
      createdAt: created.createdAt,
      updatedAt: created.updatedAt,
    });
    const { channels, eventTypes, secrets } = richWebhook();
    const change = { channels, eventTypes, secrets };
    const copy = structuredClone(change);
    const updated = await storage.webhooks.update(acme, expected.id, 1, change);
    vandalise(change);
    same(await storage.webhooks.get(acme, expected.id), {
      ...expected,
      ...copy,
      version: 2,
      createdAt: created.createdAt,
      updatedAt: updated?.updatedAt,
    });
  },

  'changing an argument of publish or settle does not change what is stored': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const event = richEvent();
    const expected = structuredClone(asRead(event));
    await storage.deliveries.publish([event]);
    vandalise(event);
    same(await eventsOf(storage), [expected]);
    const claimed = one(await claim(storage));
    same(claimed.event, expected);
    const attempt = attemptOf(claimed);
    const recorded = structuredClone(attempt);
    await storage.deliveries.settle([{ claim: claimed, next: { status: 'dead' }, attempt }]);
    vandalise(attempt);
    same(await storage.log.attempts(acme, recorded.deliveryId), [recorded]);
  },

  'changing a returned webhook does not change the stored one': async ({ storage }) => {
    const { id } = await storage.webhooks.create(richWebhook());
    const expected = structuredClone(await storage.webhooks.get(acme, id));
    vandalise(await storage.webhooks.get(acme, id));
    same(await storage.webhooks.get(acme, id), expected);
    vandalise(await storage.webhooks.list(acme, { limit: 10 }));
    same((await storage.webhooks.list(acme, { limit: 10 })).items, [expected]);
    const updated = await storage.webhooks.update(acme, id, 1, { name: 'Renamed' });
    const renamed = structuredClone(updated);
    vandalise(updated);
    same(await storage.webhooks.get(acme, id), renamed);
    const created = await storage.webhooks.create(richWebhook());
    const copy = structuredClone(created);
    vandalise(created);
    same(await storage.webhooks.get(acme, copy.id), copy);
  },

  'changing a returned claim does not change what is stored': async ({ storage, advance }) => {
    const webhook = structuredClone(await storage.webhooks.create(richWebhook()));
    await storage.deliveries.publish([richEvent()]);
    const first = one(await claim(storage));
    const expected = structuredClone(first);
    vandalise(first);
    await advance(hourMs);
    const second = one(await claim(storage));
    ok(second.lostAt, 'the first attempt began and was never settled');
    same(second, { ...expected, token: second.token, attempt: 2, lostAt: second.lostAt });
    const renewed = await storage.deliveries.renew([second], hourMs);
    const copy = structuredClone(second);
    vandalise(renewed);
    same(await storage.deliveries.settle([result(copy, 'delivered')]), [true]);
    same(await storage.webhooks.get(acme, webhook.id), webhook);
    same(await eventsOf(storage), [expected.event]);
  },

  'changing a result of the log does not change what is stored': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claimed = one(await claim(storage));
    await storage.deliveries.settle([result(claimed, { status: 'pending', delayMs: 0 })]);
    const read = async () => ({
      events: await eventsOf(storage),
      deliveries: await deliveriesOf(storage),
      attempts: await storage.log.attempts(acme, deliveryId),
    });
    const expected = structuredClone(await read());
    vandalise(await storage.log.events(acme, { limit: 10 }));
    vandalise(await storage.log.deliveries(acme, { limit: 10 }));
    vandalise(await storage.log.attempts(acme, deliveryId));
    same(await read(), expected);
  },

  'arguments may be frozen': async ({ storage }) => {
    const { id } = await storage.webhooks.create(frozen(richWebhook()));
    await storage.webhooks.update(acme, id, 1, frozen({ channels: richWebhook().channels }));
    await storage.deliveries.publish(frozen([richEvent()]));
    const claimed = frozen(one(await claim(storage)));
    await storage.deliveries.renew(frozen([claimed]), hourMs);
    same(await storage.deliveries.settle(frozen([result(claimed, 'delivered')])), [true]);
  },
});

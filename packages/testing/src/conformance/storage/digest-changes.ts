import assert from 'node:assert/strict';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import { digestOf, gathering, idsIn, statusesOf, windowMs } from './digest-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  idsOf,
  minuteMs,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  publish,
  result,
} from './sample.js';

/** How a gathering digest follows changes of its webhook. */
export const digestChangeRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'a lowered limit applies to events that are already gathered': async ({ storage }) => {
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 100 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const events = newEvents(5);
    await publish(storage, ...events);
    same(await claim(storage), []);
    const channels = [{ ...binding, digest: { window: windowMs, maxEvents: 2 } }];
    await storage.webhooks.update(acme, webhook.id, webhook.version, { channels });
    same((await claimAll(storage)).map(idsIn), [idsOf(events.slice(0, 2)), idsOf(events.slice(2, 4))]);
  },

  'gathered events are divided by the limit at the time when they are claimed': async ({
    storage,
    advance,
  }) => {
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

  'deleting the webhook drops what has gathered': async (under) => {
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

  'a paused webhook keeps what has gathered until it is active': async (under) => {
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

  'a window continues while its webhook is paused, and does not end early': async (under) => {
    const { storage, advance } = under;
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 100 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const event = newEvent();
    await publish(storage, event);
    // Less than the minute of tolerance: a storage that is about to look must not take that for the end.
    await advance(windowMs - minuteMs / 2);
    let { version } = webhook;
    for (const isActive of [false, true, true]) {
      version = (await storage.webhooks.update(acme, webhook.id, version, { isActive }))!.version;
      same(await claim(storage), []);
    }
    await advance(minuteMs);
    same(idsIn(one(await claim(storage))), [event.id]);
  },

  'a full digest goes as soon as its webhook is active again': async ({ storage }) => {
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 2 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const events = newEvents(2);
    await publish(storage, ...events);
    const paused = await storage.webhooks.update(acme, webhook.id, webhook.version, { isActive: false });
    same(await claim(storage), []);
    await storage.webhooks.update(acme, webhook.id, paused!.version, { isActive: true });
    same(idsIn(one(await claim(storage))), idsOf(events));
  },
});

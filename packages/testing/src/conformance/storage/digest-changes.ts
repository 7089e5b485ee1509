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

/** What becomes of what gathers when its webhook changes. */
export const digestChangeRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'a limit that is lowered is one for what has gathered, too': async ({ storage }) => {
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 100 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const events = newEvents(5);
    await publish(storage, ...events);
    same(await claim(storage), []);
    const channels = [{ ...binding, digest: { window: windowMs, maxEvents: 2 } }];
    await storage.webhooks.update(acme, webhook.id, webhook.version, { channels });
    same((await claimAll(storage)).map(idsIn), [idsOf(events.slice(0, 2)), idsOf(events.slice(2, 4))]);
  },

  'what has gathered is divided by the limit that holds when it goes': async ({ storage, advance }) => {
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

  'a webhook that is deleted sends none of it': async (under) => {
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

  'a webhook that is paused keeps it until it is active': async (under) => {
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

  'a window goes on while its webhook is paused, and is not over before its time': async (under) => {
    const { storage, advance } = under;
    const binding = newBinding({ digest: { window: windowMs, maxEvents: 100 } });
    const webhook = await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const event = newEvent();
    await publish(storage, event);
    // Less than the minute of room that others leave: whoever is about to look must not see that as the end.
    await advance(windowMs - minuteMs / 2);
    let { version } = webhook;
    for (const isActive of [false, true, true]) {
      version = (await storage.webhooks.update(acme, webhook.id, version, { isActive }))!.version;
      same(await claim(storage), []);
    }
    await advance(minuteMs);
    same(idsIn(one(await claim(storage))), [event.id]);
  },

  'as many as are enough go as soon as their webhook is active again': async ({ storage }) => {
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

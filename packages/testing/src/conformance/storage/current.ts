import assert from 'node:assert/strict';
import type { WebhookChange } from '@posthorn/core/storage';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { acme, claim, claimAll, hourMs, newBinding, one, oneDelivery, result } from './sample.js';

const change = {
  name: 'Renamed',
  secrets: [
    { key: 'whsec_plJ3nmyCDGBKInavdOK15jslMfKQ9r8GK', expiresAt: null },
    { key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: new Date('2026-11-25T00:00:00Z') },
  ],
} satisfies WebhookChange;

export const currentRules: readonly StorageRule[] = topic<StorageUnderTest>('current', {
  'a pending delivery uses the configs, name and secrets at the time of its claim': async ({ storage }) => {
    const { webhook } = await oneDelivery(storage);
    const binding = { ...one(webhook.channels), configs: { url: 'https://example.com/new' } };
    await storage.webhooks.update(acme, webhook.id, 1, { ...change, channels: [binding] });
    const claimed = one(await claim(storage));
    same(claimed.binding, binding);
    assert.equal(claimed.webhook.name, change.name);
    same(claimed.webhook.secrets, change.secrets);
  },

  'a retry uses the current webhook, not the one of the first attempt': async (under) => {
    const { storage, advance } = under;
    const { webhook } = await oneDelivery(storage);
    const first = one(await claim(storage));
    await storage.deliveries.settle([result(first, { status: 'pending', delayMs: hourMs })]);
    const binding = { ...one(webhook.channels), channel: 'slack', configs: { text: 'new' } };
    await storage.webhooks.update(acme, webhook.id, 1, { ...change, channels: [binding] });
    await advance(hourMs);
    const second = one(await claim(storage));
    same(second.binding, binding);
    same(second.webhook.secrets, change.secrets);
    same(second.event, first.event);
  },

  'the claim of a removed binding has an undefined binding': async ({ storage }) => {
    const { webhook } = await oneDelivery(storage);
    await storage.webhooks.update(acme, webhook.id, 1, { channels: [newBinding()] });
    const claimed = one(await claim(storage));
    assert.equal(claimed.binding, undefined);
    assert.equal(claimed.webhook.id, webhook.id);
  },

  'a new binding gets no events that were published before': async ({ storage }) => {
    const { webhook } = await oneDelivery(storage);
    const channels = [newBinding(), ...webhook.channels];
    await storage.webhooks.update(acme, webhook.id, 1, { channels });
    same(one(await claimAll(storage)).binding, one(webhook.channels));
  },

  'pending deliveries stay when the event types change': async ({ storage }) => {
    const { webhook, event } = await oneDelivery(storage);
    await storage.webhooks.update(acme, webhook.id, 1, { eventTypes: ['invoice.*'] });
    assert.equal(one(await claim(storage)).event.id, event.id);
  },
});

import { createIds } from '@posthorn/core/storage';
import { virtualClock } from '@posthorn/testing';
import { expect, test } from 'vitest';
import { kvStorage, memoryKv } from '../../src/index.js';

test('what gathers goes by itself where its binding drops the digest in the instant in which the window ends', async () => {
  const ids = createIds();
  const { now, advance } = virtualClock();
  const storage = kvStorage(memoryKv(), { now });
  const binding = { id: ids.binding(), channel: 'email', configs: {} };
  const webhook = await storage.webhooks.create({
    id: ids.webhook(),
    tenantId: 'acme',
    name: 'Orders',
    eventTypes: ['order.created'],
    channels: [{ ...binding, digest: { window: 60_000 as never, maxEvents: 100 } }],
    isActive: true,
    secrets: [],
  });
  const event = {
    id: ids.event(),
    tenantId: 'acme',
    type: 'order.created',
    payload: '{}',
    occurredAt: new Date(now()),
    namespaceId: null,
    subject: null,
    cacheScope: null,
    orderingKey: null,
    matchingPatterns: ['order.created'],
  };
  await storage.deliveries.publish([event]);
  await advance(60_000);
  await storage.webhooks.update('acme', webhook.id, 1, { channels: [binding] });
  const options = { limit: 10, leaseMs: 1_000, webhookLimit: 10, webhookRoom: new Map() };
  const claims = await storage.deliveries.claim(options);
  expect(claims.map((claim) => [claim.event.id, claim.digest])).toEqual([[event.id, undefined]]);
});

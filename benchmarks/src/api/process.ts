import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { createApi } from '@posthorn/api';
import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher, type Dispatcher } from '@posthorn/core';
import { createIds, type NewWebhook } from '@posthorn/core/storage';
import { memoryStorage } from '@posthorn/storage-memory';
import { postgresStorage } from '@posthorn/storage-postgres';
import pg from 'pg';
import { type ByHand, type Framework, frameworks } from './servers.js';

/*
 * `process <framework> <url of Postgres, or ''> <webhooks>`: three servers on one storage with this many webhooks: two
 * hand-written ones, which call the storage and the engine, and the API. Sends their addresses to the parent, and on
 * request the resource usage of this process.
 */

process.once('disconnect', () => process.exit());

const [, , framework = '', url = '', countText = ''] = process.argv;
const tenantId = `tenant-${countText}`;
const ids = createIds();

async function onPostgres() {
  const storage = postgresStorage(new pg.Pool({ connectionString: url, max: 10 }));
  await storage.migrate();
  return storage;
}
const storage = url === '' ? memoryStorage() : await onPostgres();

const webhook = (
  name: string,
  eventTypes: string[],
  configs: NewWebhook['channels'][0]['configs'],
): NewWebhook => ({
  id: ids.webhook(),
  tenantId,
  name,
  eventTypes,
  channels: [{ id: ids.binding(), channel: 'webhook', configs }],
  isActive: true,
  secrets: [{ key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: null }],
});
const configs = { url: 'https://example.com/hooks', method: 'POST', headers: {}, timeout: 10 };
for (let made = 0; made < Number(countText); made += 100) {
  const some = Array.from({ length: 100 }, (_, i) =>
    webhook(`Orders ${made + i}`, ['order.*', 'user.created'], configs),
  );
  await Promise.all(some.map((one) => storage.webhooks.create(one)));
}

/** Every save looks up a host name. The look-up is answered at once, so that the network is not measured. */
const lookup: LookupFunction = (_hostname, _options, callback) =>
  setImmediate(callback, null, [{ address: '93.184.215.14', family: 4 }]);
const dispatcher: Dispatcher = createDispatcher({
  storage,
  channels: [httpChannel({ outbound: { policy: { lookup } } })],
});
const { key } = await dispatcher.apiKeys.create({
  tenantId,
  name: 'benchmark',
  scopes: ['webhooks:read', 'webhooks:write'],
});

const byStorage: ByHand = async ({ id, body }) => {
  if (id !== undefined) return storage.webhooks.get(tenantId, id);
  if (body === undefined) return storage.webhooks.list(tenantId, { limit: 100 });
  return storage.webhooks.create(webhook(body.webhook_name, body.event_types, configs));
};
const byEngine: ByHand = async ({ id, body }) => {
  if (id !== undefined) return dispatcher.webhooks.get(id, { tenantId });
  if (body === undefined) return dispatcher.webhooks.list({ tenantId, limit: 100 });
  const { webhook_name: name, event_types: eventTypes, channels } = body;
  return dispatcher.webhooks.create({ tenantId, name, eventTypes, channels });
};
// Without limits, because they are not measured.
const api = createApi(dispatcher, { rateLimit: false, maxWebhooks: 1_000_000_000 });
const { byHand, mounted } = frameworks[framework as Framework];

async function portOf(starting: Server | Promise<Server>): Promise<number> {
  const server = await starting;
  if (!server.listening) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  return (server.address() as AddressInfo).port;
}

process.on('message', (what: 'cpuMicros' | 'heapBytes') => {
  if (what === 'cpuMicros') {
    const { user, system } = process.cpuUsage();
    process.send!(user + system);
  } else {
    globalThis.gc?.();
    process.send!(process.memoryUsage().heapUsed);
  }
});
const { items } = await storage.webhooks.list(tenantId, { limit: 1 });
process.send!({
  ports: {
    storage: await portOf(byHand(byStorage)),
    engine: await portOf(byHand(byEngine)),
    api: await portOf(mounted(api)),
  },
  key,
  webhookId: items[0]!.id,
});

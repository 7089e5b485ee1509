import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createApi, toNode } from '@posthorn/api';
import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher, createIds, type NewWebhook, type Storage } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { postgresStorage } from '@posthorn/storage-postgres';
import pg from 'pg';

/*
 * Two servers over one storage: the API, and a bare handler of node:http that does the same call of the storage and
 * writes what it gets. Says their ports, and how much CPU time this process has had whenever it is asked.
 */

const [, , kind, url] = process.argv;
const tenantId = 'acme';
const ids = createIds();

async function postgres(): Promise<Storage<never>> {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  await pool.query('drop schema if exists posthorn_bench_api cascade');
  const storage = postgresStorage(pool, { schema: 'posthorn_bench_api' });
  await storage.migrate();
  return storage as Storage<never>;
}

const storage = kind === 'postgres' ? await postgres() : memoryStorage();
const policy = { allowHosts: ['example.com'] };
const dispatcher = createDispatcher({ storage, channels: [httpChannel({ outbound: { policy } })] });
const { key } = await dispatcher.apiKeys.create({
  tenantId,
  name: 'bench',
  scopes: ['webhooks:read', 'webhooks:write'],
});

const newWebhook = (name: string): NewWebhook => ({
  id: ids.webhook(),
  tenantId,
  name,
  eventTypes: ['order.*', 'user.created'],
  channels: [{ id: ids.binding(), channel: 'webhook', configs: { url: 'https://example.com/hooks' } }],
  isActive: true,
  secrets: [{ key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: null }],
});
for (let i = 0; i < 10_000; i++) await storage.webhooks.create(newWebhook(`n${i}`));
const first = (await storage.webhooks.list(tenantId, { limit: 1 })).items[0]!;

const bare: RequestListener = async (request, response) => {
  const answer = async () => {
    const path = request.url!;
    if (request.method === 'GET')
      return storage.webhooks.get(tenantId, path.slice(path.lastIndexOf('/') + 1));
    const body = JSON.parse((await text(request)) || '{}');
    if (path.includes('/list')) return storage.webhooks.list(tenantId, { limit: 20 });
    return storage.webhooks.create({ ...newWebhook(body.webhook_name), eventTypes: body.event_types });
  };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(await answer()));
};

const api = toNode(createApi(dispatcher, { rateLimit: false }));
const ports = [bare, (request, response) => void api(request, response)] satisfies RequestListener[];
const listening = ports.map((listener) => createServer(listener).listen(0, '127.0.0.1'));
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  globalThis.gc?.();
  process.send!({ cpuUs: user + system, heapBytes: process.memoryUsage().heapUsed });
});
process.send!({
  ports: listening.map((server) => (server.address() as AddressInfo).port),
  key,
  webhookId: first.id,
});

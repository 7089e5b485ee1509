import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { fleetDispatcher } from './dispatcher.js';

/* Three workers share one database. One is killed halfway, and no event is lost. */

const { DATABASE_URL } = process.env;
if (!DATABASE_URL) {
  console.error('Set DATABASE_URL to a Postgres database, such as postgres://postgres@127.0.0.1/postgres');
  process.exit(1);
}
const { dispatcher, storage, pool } = fleetDispatcher(DATABASE_URL);
await storage.migrate();

const received = new Map<string, number>();
const receiver = createServer(async (request, response) => {
  for await (const _ of request);
  const id = String(request.headers['webhook-id']);
  received.set(id, (received.get(id) ?? 0) + 1);
  await setTimeout(20);
  response.end();
}).listen(0, '127.0.0.1');
await once(receiver, 'listening');
const { port } = receiver.address() as AddressInfo;
const webhook = await dispatcher.webhooks.create({
  name: 'Fleet',
  tenantId: `fleet-${process.pid}`,
  eventTypes: ['*'],
  channels: [{ channel: 'webhook', configs: { url: `http://127.0.0.1:${port}` } }],
});

const workers = [0, 1, 2].map(() =>
  fork(new URL('./worker.ts', import.meta.url), { execArgv: process.execArgv }),
);
await Promise.all(workers.map((worker) => once(worker, 'message')));

const total = 1_000;
const ids = new Set<string>();
for (let n = 0; n < total; n++) {
  ids.add((await dispatcher.dispatch('order.placed', { n }, { tenantId: webhook.tenantId })).eventId);
  if (n === total / 2) {
    console.log('half are dispatched: one worker is killed');
    workers[0]!.kill('SIGKILL');
  }
}
const deadline = Date.now() + 30_000;
while ([...ids].some((id) => !received.has(id)) && Date.now() < deadline) await setTimeout(50);

const missing = [...ids].filter((id) => !received.has(id)).length;
const again = [...received.values()].filter((times) => times > 1).length;
console.log(`${total} dispatched, ${received.size} received, ${missing} missing, ${again} twice`);
for (const worker of workers.slice(1)) worker.disconnect();
receiver.close();
await dispatcher.webhooks.delete(webhook.id, { tenantId: webhook.tenantId });
await pool.end();
process.exitCode = missing === 0 ? 0 : 1;

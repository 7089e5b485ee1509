import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { until } from '@posthorn/testing';
import { Webhook } from 'standardwebhooks';
import { expect, onTestFinished, test } from 'vitest';
import { type ReceivedEvent, receiver } from '../src/receiver.js';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G';

async function running(work: (event: ReceivedEvent) => Promise<void>): Promise<string> {
  const server = receiver({ secret: () => secret, work }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const event = { event_id: 'evt_1', event_type: 'order.placed', metadata: { orderId: 'o1' } };
const send = (url: string, body = JSON.stringify(event), signed = body, at = new Date()) =>
  fetch(url, {
    method: 'POST',
    headers: {
      'webhook-id': 'evt_1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign('evt_1', at, signed),
    },
    body,
  });

test('handles what the engine sends, after it has answered', async () => {
  let finish = () => {};
  const worked: ReceivedEvent[] = [];
  const url = await running(async (event) => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    worked.push(event);
  });
  const posthorn = createDispatcher({
    storage: memoryStorage(),
    channels: [httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } })],
  });
  const channels = [{ channel: 'webhook', configs: { url } }] as const;
  await posthorn.webhooks.create({ name: 'Mine', eventTypes: ['order.*'], channels, secret });
  await posthorn.dispatch('order.placed', { orderId: 'o1' });
  await posthorn.drain();
  expect((await posthorn.deliveries.list()).items).toMatchObject([{ status: 'delivered' }]);
  expect(worked).toEqual([]);
  finish();
  await until(() => worked.length === 1);
  expect(worked).toMatchObject([{ event_type: 'order.placed', metadata: { orderId: 'o1' } }]);
});

test('handles a duplicate only once, even if the work failed', async () => {
  const worked: string[] = [];
  const url = await running(async ({ event_id }) => {
    worked.push(event_id);
    throw new Error('the warehouse is closed');
  });
  expect([(await send(url)).status, (await send(url)).status]).toEqual([202, 202]);
  expect(worked).toEqual(['evt_1']);
});

test('refuses unsigned, altered and old requests', async () => {
  const worked: ReceivedEvent[] = [];
  const url = await running(async (event) => void worked.push(event));
  const changed = JSON.stringify({ ...event, metadata: { orderId: 'o2' } });
  expect((await send(url, changed, JSON.stringify(event))).status).toBe(401);
  expect((await fetch(url, { method: 'POST', body: JSON.stringify(event) })).status).toBe(401);
  const body = JSON.stringify(event);
  expect((await send(url, body, body, new Date(Date.now() - 400_000))).status).toBe(401);
  expect(worked).toEqual([]);
});

import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { httpChannel } from '@posthorn/channel-http';
import { type Dispatcher, scopes } from '@posthorn/core';
import { customer } from '@posthorn/example-receiver';
import { until } from '@posthorn/testing';
import { expect, onTestFinished, test } from 'vitest';
import { POSTHORN, ShopModule } from '../src/shop.module.js';

/** A payload that changes when JavaScript parses it and writes it again. */
const particular = '{"b":1.10,"1":12345678901234567890}';

async function running(rawBody: boolean) {
  const channel = httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } });
  const app = await NestFactory.create(ShopModule.with([channel]), { rawBody, logger: ['error'] });
  onTestFinished(() => app.close());
  await app.listen(0, '127.0.0.1');
  const posthorn = app.get<Dispatcher>(POSTHORN);
  const { key } = await posthorn.apiKeys.create({ tenantId: 'acme', name: 'Acme', scopes: [...scopes] });
  const origin = await app.getUrl();
  const post = (path: string, body: string) =>
    fetch(origin + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body,
    });
  return { origin, key, post };
}

test('a customer creates a webhook over the API and is notified of an order', async () => {
  const { origin, key, post } = await running(true);
  const acme = await customer();
  onTestFinished(acme.close);
  await acme.subscribe(`${origin}/v1/organizations`, key, ['order.*']);
  expect((await post('/customers/acme/orders', '{"id":"o1"}')).status).toBe(201);
  await until(() => acme.received.length === 1, { timeoutMs: 20_000 });
  expect(acme.received).toMatchObject([{ event_type: 'order.placed', metadata: { id: 'o1' } }]);
  expect((await fetch(`${origin}/v1/organizations/webhooks`)).status).toBe(401);
});

test.each([
  [true, particular],
  [false, JSON.stringify(JSON.parse(particular))],
])('with rawBody %s a payload that comes by the API is stored as %s', async (rawBody, stored) => {
  const { origin, key, post } = await running(rawBody);
  const event = `{"event_type":"order.placed","metadata":${particular}}`;
  const { event_id: id } = (await (await post('/v1/organizations/events', event)).json()) as {
    event_id: string;
  };
  const headers = { authorization: `Bearer ${key}` };
  const read = await (await fetch(`${origin}/v1/organizations/events/${id}`, { headers })).text();
  expect(read).toContain(`"metadata":${stored}`);
});

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { httpChannel } from '@posthorn/channel-http';
import { scopes } from '@posthorn/core';
import { customer } from '@posthorn/example-receiver';
import { until } from '@posthorn/testing';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { shop } from '../src/shop.js';

const url = inject('postgresUrl');

describe.skipIf(url === null)('the shop', () => {
  const pool = new pg.Pool({ connectionString: url ?? '' });
  const tenantId = `acme-${randomUUID()}`;
  let origin = '';
  let close = async () => {};
  let key = '';
  let acme: Awaited<ReturnType<typeof customer>>;

  beforeAll(async () => {
    const channel = httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } });
    const { app, posthorn } = await shop(pool, [channel]);
    posthorn.start();
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    ({ key } = await posthorn.apiKeys.create({ tenantId, name: 'Acme', scopes: [...scopes] }));
    acme = await customer();
    await acme.subscribe(`${origin}/v1/organizations`, key, ['order.*']);
    close = async () => {
      server.close();
      server.closeAllConnections();
      await posthorn.stop();
      acme.close();
    };
  });
  afterAll(async () => {
    await close();
    await pool.end();
  });

  const order = (id: string) =>
    fetch(`${origin}/customers/${tenantId}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id, total: 42 }),
    });
  const eventCount = async () => {
    const headers = { authorization: `Bearer ${key}` };
    const { results } = (await (await fetch(`${origin}/v1/organizations/events`, { headers })).json()) as {
      results: unknown[];
    };
    return results.length;
  };

  test('notifies a customer of a stored order', async () => {
    const id = `o-${randomUUID()}`;
    expect((await order(id)).status).toBe(201);
    await until(() => acme.received.length === 1, { timeoutMs: 20_000 });
    expect(acme.received).toMatchObject([{ event_type: 'order.placed', metadata: { id, total: 42 } }]);
  });

  test('sends no event for an order that is not stored', async () => {
    const id = `o-${randomUUID()}`;
    await order(id);
    const before = await eventCount();
    expect((await order(id)).status).toBe(409);
    expect(await eventCount()).toBe(before);
  });

  test('shows a customer’s webhooks only with a key', async () => {
    expect((await fetch(`${origin}/v1/organizations/webhooks`)).status).toBe(401);
  });
});

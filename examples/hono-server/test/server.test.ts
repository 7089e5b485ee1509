import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import { httpChannel } from '@posthorn/channel-http';
import { customer } from '@posthorn/example-receiver';
import { until } from '@posthorn/testing';
import { sign } from 'hono/jwt';
import { expect, onTestFinished, test } from 'vitest';
import { teamServer } from '../src/server.js';

const secret = 'a secret of the application';
const token = (claims: Record<string, unknown>, by = secret) => sign(claims, by, 'HS256');

async function running() {
  const channel = httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } });
  const { app, posthorn } = teamServer([channel], secret);
  posthorn.start();
  const server: ServerType = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  onTestFinished(async () => {
    server.close();
    await posthorn.stop();
  });
  if (!server.listening) await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('an admin creates a webhook with the application’s own token, and the team is notified of a new member', async () => {
  const origin = await running();
  const team = await customer();
  onTestFinished(team.close);
  const admin = await token({ team: 'red', role: 'admin' });
  await team.subscribe(`${origin}/v1/organizations`, admin, ['member.*']);
  const body = JSON.stringify({ name: 'Ada' });
  expect((await fetch(`${origin}/teams/red/members`, { method: 'POST', body })).status).toBe(201);
  await until(() => team.received.length === 1, { timeoutMs: 20_000 });
  expect(team.received).toMatchObject([{ event_type: 'member.joined', metadata: { name: 'Ada' } }]);
});

test('a member may read, another team sees nothing, and an unknown token is refused', async () => {
  const origin = await running();
  const call = async (key: string, method = 'GET') =>
    (
      await fetch(`${origin}/v1/organizations/webhooks`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(method === 'POST' && { body: '{}' }),
      })
    ).status;
  expect(await call(await token({ team: 'red' }))).toBe(200);
  expect(await call(await token({ team: 'red' }), 'POST')).toBe(403);
  expect(await call(await token({ role: 'admin' }))).toBe(401);
  expect(await call(await token({ team: 'red', role: 'admin' }, 'forged'))).toBe(401);
  expect(await call('sk_live_0123456789')).toBe(401);
});

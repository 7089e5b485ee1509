import { createDispatcher, type Scope, scopes } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { cpuMs } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { createApi } from '../src/index.js';
import { routesOf } from '../src/routes/routes.js';
import { apiOf, base, engine, keyOf, recorded } from './api.js';

const routes = routesOf(engine(), { basePath: '/v1/organizations', maxWebhooks: 10_000 });

const unauthorized = {
  success: false,
  status: 401,
  error: { message: expect.any(String), type: 'UnauthorizedError', details: {} },
};

describe('A1, A3: invalid credentials', () => {
  test.each([
    ['no header', undefined],
    ['no scheme', 'sk_live_abc'],
    ['a scheme alone', 'Bearer'],
    ['a scheme and a space', 'Bearer '],
    ['another scheme', 'Basic c2s6'],
    ['a word', 'bearer x'],
    ['two keys', 'Bearer KEY, Bearer KEY'],
    ['a key and more', 'Bearer KEY KEY'],
    ['a megabyte', `Bearer ${'x'.repeat(1_000_000)}`],
    ['what is not ASCII', 'Bearer sk_live_ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ'],
  ])('%s is a 401 like any other', async (_, authorization) => {
    const { call, key } = await apiOf();
    const headers =
      authorization === undefined ? {} : { authorization: authorization.replaceAll('KEY', key) };
    const answer = await call('GET', '/webhooks', { key: null, headers });
    expect(answer.status).toBe(401);
    expect(answer.body).toEqual(unauthorized);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  test('a key in the query is ignored', async () => {
    const { call, key } = await apiOf();
    expect((await call('GET', `/webhooks?token=${key}&access_token=${key}`, { key: null })).status).toBe(401);
  });

  test('a huge token is refused quickly', async () => {
    const { handler } = await apiOf();
    const request = () =>
      new Request(`${base}/webhooks`, { headers: { authorization: `Bearer ${'k'.repeat(1_000_000)}` } });
    await handler(request());
    const given = request();
    expect(await cpuMs(() => handler(given))).toBeLessThan(50);
  });
});

describe('A2, A4: keys that are no longer valid', () => {
  test('one changed character is a 401', async () => {
    const { call, key } = await apiOf();
    for (const at of [0, 9, 12, key.length - 1]) {
      const wrong = key.slice(0, at) + (key[at] === 'x' ? 'y' : 'x') + key.slice(at + 1);
      expect((await call('GET', '/webhooks', { key: wrong })).body).toEqual(unauthorized);
    }
  });

  test('a revoked key is refused at once', async () => {
    const { call, dispatcher } = await apiOf();
    const { apiKey, key } = await dispatcher.apiKeys.create({
      tenantId: 'acme',
      name: 'k',
      scopes: ['webhooks:read'],
    });
    expect((await call('GET', '/webhooks', { key })).status).toBe(200);
    await dispatcher.apiKeys.revoke(apiKey.id, { tenantId: 'acme' });
    expect((await call('GET', '/webhooks', { key })).body).toEqual(unauthorized);
  });

  test('a key that was revoked in another process is refused within a second', async () => {
    const storage = memoryStorage();
    let now = 1_700_000_000_000;
    const here = createDispatcher({ storage, channels: [], now: () => now });
    const there = createDispatcher({ storage, channels: [] });
    const { call } = await apiOf(here);
    const { apiKey, key } = await there.apiKeys.create({
      tenantId: 'acme',
      name: 'k',
      scopes: ['webhooks:read'],
    });
    expect((await call('GET', '/webhooks', { key })).status).toBe(200);
    await there.apiKeys.revoke(apiKey.id, { tenantId: 'acme' });
    now += 1_000;
    expect((await call('GET', '/webhooks', { key })).status).toBe(401);
  });
});

describe('A5: scopes', () => {
  test('each route requires all its scopes, and answers 403 without them', async () => {
    const { call, dispatcher } = await apiOf();
    const guarded = routes.filter(({ scopes }) => scopes !== 'open' && scopes.length > 0);
    expect(guarded.length).toBeGreaterThan(20);
    for (const { method, path, scopes: needs } of guarded) {
      const needed = needs as readonly Scope[];
      for (const missing of needed) {
        const given = scopes.filter((scope) => scope !== missing);
        const key = await keyOf(dispatcher, 'acme', given);
        const target = path.replace(/\{\w+\}/g, 'wh_0000000000');
        const answer = await call(method, target, { key });
        expect([method, path, answer.status]).toEqual([method, path, 403]);
        expect(answer.body.error).toMatchObject({
          type: 'ForbiddenError',
          details: { missing_scopes: [missing] },
        });
      }
    }
  });

  test('a key cannot create a key with more scopes than its own', async () => {
    const { call, dispatcher } = await apiOf();
    const key = await keyOf(dispatcher, 'acme', ['keys:write', 'webhooks:read']);
    const body = { name: 'more', scopes: ['webhooks:read', 'secrets:read'] };
    const refused = await call('POST', '/api-keys', { key, body });
    expect(refused.status).toBe(403);
    expect(refused.body.error.details).toEqual({ missing_scopes: ['secrets:read'] });
    expect((await dispatcher.apiKeys.list({ tenantId: 'acme' })).items).toHaveLength(2);
    expect(
      (await call('POST', '/api-keys', { key, body: { ...body, scopes: ['webhooks:read'] } })).status,
    ).toBe(201);
  });
});

describe('A34: keys over the API', () => {
  test('a key is shown once, works, is listed without its text, and is refused once revoked', async () => {
    const { call } = await apiOf();
    const made = await call('POST', '/api-keys', {
      body: { name: 'CI', mode: 'test', scopes: ['webhooks:read'] },
    });
    expect(made.body).toMatchObject({
      name: 'CI',
      mode: 'test',
      key: expect.stringMatching(/^sk_test_[0-9A-Za-z]{37}$/),
    });
    const { key, key_id } = made.body;
    expect((await call('GET', '/webhooks', { key })).status).toBe(200);
    const listed = await call('GET', '/api-keys');
    expect(listed.body.results.map((one: { key_id: string }) => one.key_id)).toContain(key_id);
    expect(listed.text).not.toContain(key.slice(-20));
    expect((await call('DELETE', `/api-keys/${key_id}`)).status).toBe(204);
    expect((await call('GET', '/webhooks', { key })).status).toBe(401);
    expect((await call('DELETE', '/api-keys/key_0000000000')).status).toBe(404);
  });
});

describe('an auth function of the application', () => {
  test('identifies the caller and its scopes', async () => {
    const { call } = await apiOf(engine(), {
      auth: async (request) =>
        request.headers.get('cookie') === 'session=1'
          ? { tenantId: 'acme', scopes: ['webhooks:read'] }
          : null,
    });
    expect((await call('GET', '/webhooks', { headers: { cookie: 'session=1' } })).body).toEqual([]);
    expect((await call('GET', '/webhooks')).status).toBe(401);
    expect(
      (await call('POST', '/webhooks', { headers: { cookie: 'session=1' }, body: recorded() })).status,
    ).toBe(403);
  });

  test.each([
    ['no tenant', { scopes: ['webhooks:read'] }],
    ['an empty tenant', { tenantId: '', scopes: ['webhooks:read'] }],
    ['a tenant that is no text', { tenantId: ['acme'], scopes: ['webhooks:read'] }],
    ['no scopes', { tenantId: 'acme' }],
    ['an unknown scope', { tenantId: 'acme', scopes: ['*'] }],
    ['undefined', undefined],
    ['true', true],
  ])('A8: refuses the request if it returns %s', async (_, answer) => {
    const errors: unknown[] = [];
    const { call } = await apiOf(engine(), {
      auth: () => answer as never,
      onError: (error) => errors.push(error),
    });
    expect((await call('GET', '/webhooks')).status).toBe(500);
    expect(errors).toEqual([new TypeError('auth must resolve to { tenantId, scopes } or null')]);
  });

  test('causes a 500 without details if it throws', async () => {
    const { call } = await apiOf(engine(), {
      auth: () => {
        throw new Error('jwt secret is s3cret');
      },
      onError: () => {},
    });
    const answer = await call('GET', '/webhooks');
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('s3cret');
  });
});

test('createApi throws if the storage keeps no API keys and there is no auth function', async () => {
  const { documents, deliveries, ...others } = memoryStorage();
  const { backfill, ...queue } = deliveries;
  const storage = { ...others, deliveries: queue, supports: {} };
  const dispatcher = createDispatcher({ storage, channels: [] });
  expect(() => createApi(dispatcher)).toThrow(expect.objectContaining({ code: 'invalid_option' }));
});

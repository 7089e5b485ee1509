import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type ApiOptions, createApi } from '../src/index.js';
import { apiOf, base, engine, keyOf, recorded } from './api.js';

describe('a name', () => {
  test.each(['漢', 'é', '😀', '/', '%'])(
    'of 200 times %s is found by its encoded path',
    async (character) => {
      const { call } = await apiOf();
      const name = character.repeat(200);
      const { body } = await call('POST', '/webhooks', { body: recorded(name) });
      expect((await call('GET', `/webhooks/${encodeURIComponent(name)}`)).body).toEqual(body);
    },
  );

  test('that is also a path segment is found; an invalid name is a 404', async () => {
    const { call } = await apiOf();
    const { body } = await call('POST', '/webhooks', { body: recorded('list') });
    expect((await call('GET', '/webhooks/list')).body).toEqual(body);
    expect((await call('GET', `/webhooks/${'x'.repeat(201)}`)).status).toBe(404);
  });

  test('does not delete its webhook: the answer is a 404', async () => {
    const { call } = await apiOf();
    const { body } = await call('POST', '/webhooks', { body: recorded('Orders') });
    expect((await call('DELETE', '/webhooks/Orders')).status).toBe(404);
    expect((await call('GET', `/webhooks/${body.webhook_id}`)).status).toBe(200);
  });
});

describe('an invalid request', () => {
  test.each(['a.*b', '***', 'a..b', '*a'])('the filter %s is refused, with its place', async (event_type) => {
    const { call } = await apiOf();
    const { status, body } = await call('POST', '/webhooks/list', { body: { event_type } });
    expect([status, body.detail[0].loc]).toEqual([422, ['body', 'event_type']]);
  });

  test('a range that ends before it begins is a 422, on every call', async () => {
    const { call } = await apiOf();
    const query = 'from=2021-01-01T00:00:00Z&to=2020-01-01T00:00:00Z';
    for (const path of ['/deliveries', '/events', '/stats']) {
      const { status, body } = await call('GET', `${path}?${query}`);
      expect([path, status, body.detail[0].loc[0]]).toEqual([path, 422, 'query']);
    }
    const body = { from: '2021-01-01T00:00:00Z', to: '2020-01-01T00:00:00Z' };
    expect((await call('POST', '/replay', { body })).body.detail[0].loc[0]).toBe('body');
  });

  test('a body for a call that takes none is refused, unless it is empty', async () => {
    const { call, dispatcher } = await apiOf();
    await call('POST', '/webhooks', { body: recorded() });
    await call('POST', '/events', { body: { event_type: 'order.placed', metadata: 1 } });
    const { delivery_id } = (await call('GET', '/deliveries')).body.results[0];
    const cancelled = (body: unknown) => call('POST', `/deliveries/${delivery_id}/cancel`, { body });
    expect((await cancelled({ tenantId: 'B' })).body.detail).toEqual([
      { loc: ['body', 'tenantId'], msg: 'no such field', type: 'extra_forbidden' },
    ]);
    expect((await cancelled([1])).body.detail[0].loc).toEqual(['body']);
    expect((await dispatcher.deliveries.get(delivery_id, { tenantId: 'acme' })).status).toBe('pending');
    expect((await cancelled({})).body.status).toBe('cancelled');
  });

  test.each([
    ['{"__proto__":{"a":1}}', ['body', '__proto__']],
    [
      '{"channels":[{"channel":"record","configs":{"__proto__":{"a":1}}}]}',
      ['body', 'channels', 0, 'configs', '__proto__'],
    ],
    [
      '{"channels":[{"channel":"record","configs":{"a":[{"__proto__":1}]}}]}',
      ['body', 'channels', 0, 'configs', 'a', 0, '__proto__'],
    ],
  ])('%s: a field __proto__ is refused, with its place', async (raw, loc) => {
    const { call } = await apiOf();
    expect((await call('POST', '/webhooks', { raw })).body.detail).toEqual([
      { loc, msg: 'no such field', type: 'extra_forbidden' },
    ]);
  });
});

describe('If-Match', () => {
  test('does not match a new webhook with the id of a deleted one', async () => {
    const { call } = await apiOf();
    const body = { webhook_id: 'wh_aaaaaaaaaa', ...recorded() };
    const before = (await call('POST', '/webhooks', { body })).headers.get('etag')!;
    await call('DELETE', '/webhooks/wh_aaaaaaaaaa');
    await vi.waitFor(async () => {
      await call('DELETE', '/webhooks/wh_aaaaaaaaaa');
      expect((await call('POST', '/webhooks', { body })).headers.get('etag')).not.toBe(before);
    });
    const headers = { 'if-match': before };
    expect((await call('PUT', '/webhooks/wh_aaaaaaaaaa', { body, headers })).status).toBe(412);
  });

  test('lets one of twelve concurrent changes of the same version win', async () => {
    const { call } = await apiOf();
    const made = await call('POST', '/webhooks', { body: recorded() });
    const headers = { 'if-match': made.headers.get('etag')! };
    const change = (_: unknown, i: number) =>
      call('PUT', `/webhooks/${made.body.webhook_id}`, { body: recorded(`n${i}`), headers });
    const statuses = (await Promise.all(Array.from({ length: 12 }, change))).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, ...Array(11).fill(412)]);
  });
});

describe('the secrets of a webhook that is read, edited and sent back', () => {
  const headers = (name: string) => ({ authorization: `Bearer ${name}` });
  const web = (name: string) => ({
    channel: 'webhook',
    configs: { url: `https://${name}.example.com`, headers: headers(name) },
  });

  test('never go to the address of another channel', async () => {
    const { call, dispatcher } = await apiOf();
    const made = await call('POST', '/webhooks', { body: { ...recorded(), channels: [web('a'), web('b')] } });
    const { webhook_id, channels } = made.body;
    const send = (sent: unknown[]) =>
      call('PUT', `/webhooks/${webhook_id}`, { body: { ...made.body, channels: sent } });
    const [a, b] = channels;
    const edited = (one: typeof a) => ({ ...one, configs: { ...one.configs, timeout: 5 } });
    for (const sent of [[edited(b)], [edited(b), edited(a)], [edited(a), edited(b)]]) {
      const { status, body } = await send(sent);
      expect([status, body.detail[0].loc.slice(0, 2)]).toEqual([422, ['body', 'channels']]);
    }
    expect((await dispatcher.webhooks.get(webhook_id, { tenantId: 'acme' })).version).toBe(1);
    // An edited channel beside an unedited one can be identified.
    expect((await send([b, edited(a)])).status).toBe(200);
  });
});

describe('A22: a quota', () => {
  test('of webhooks applies to each tenant, and deleting a webhook makes room', async () => {
    const { call, dispatcher } = await apiOf(engine(), { maxWebhooks: 2 });
    const made = [
      await call('POST', '/webhooks', { body: recorded() }),
      await call('POST', '/webhooks', { body: recorded() }),
    ];
    const refused = await call('POST', '/webhooks', { body: recorded() });
    expect(refused.body).toMatchObject({ status: 400, error: { type: 'BadRequestError' } });
    const key = await keyOf(dispatcher, 'other');
    expect((await call('POST', '/webhooks', { body: recorded(), key })).status).toBe(201);
    await call('DELETE', `/webhooks/${made[0]!.body.webhook_id}`);
    expect((await call('POST', '/webhooks', { body: recorded() })).status).toBe(201);
  });
});

describe('A19: listeners', () => {
  const warnings: unknown[] = [];
  const listen = (warning: unknown) => warnings.push(warning);
  afterEach(() => {
    process.off('warning', listen);
    warnings.length = 0;
  });

  test('onAnswer gets caller and route of every call, also for a secret, and never the secret', async () => {
    const heard: unknown[] = [];
    const { call, key } = await apiOf(engine(), { onAnswer: (answered) => heard.push(answered) });
    const { webhook_id } = (await call('POST', '/webhooks', { body: recorded() })).body;
    const { secret } = (await call('GET', `/webhooks/${webhook_id}/secret`)).body;
    await call('GET', '/webhooks', { key: null });
    expect(heard).toEqual([
      expect.objectContaining({ method: 'POST', route: '/webhooks', status: 201 }),
      {
        requestId: expect.any(String),
        method: 'GET',
        route: '/webhooks/{webhook_id}/secret',
        status: 200,
        durationMs: expect.any(Number),
        caller: { tenantId: 'acme', keyId: expect.stringMatching(/^key_/) },
      },
      expect.objectContaining({ route: '/webhooks', status: 401, caller: null }),
    ]);
    expect(JSON.stringify(heard)).not.toContain(secret);
    expect(JSON.stringify(heard)).not.toContain(key);
  });

  test.each([
    [
      'throws',
      () =>
        Promise.resolve().then(() => {
          throw new Error('audit is down');
        }),
    ],
    [
      'throws what is no error',
      () => {
        throw Object.create(null);
      },
    ],
  ])('a listener that %s does not affect the answer', async (_, onAnswer) => {
    process.on('warning', listen);
    const { call } = await apiOf(engine(), { onAnswer });
    expect((await call('GET', '/webhooks')).status).toBe(200);
    await vi.waitFor(() => expect(warnings).toHaveLength(1));
  });

  test.each<[string, object]>([
    ['onAnswer', { onAnswer: 5 }],
    ['onError', { onError: 'log' }],
    ['auth', { auth: true }],
    ['cors.origins', { cors: null }],
    ['rateLimit', { rateLimit: null }],
    ['testRateLimit', { testRateLimit: { perSecond: 1e-310, burst: 1 } }],
    ['maxBodyBytes', { maxBodyBytes: 0 }],
    ['maxWebhooks', { maxWebhooks: 1.5 }],
    ['basePath', { basePath: '/v1/' }],
    ['ratelimit', { ratelimit: false }],
  ])('the option %s must be a function', (name, options) => {
    expect(() => createApi(engine(), options as ApiOptions)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
    );
  });
});

describe('a list that breaks off', () => {
  async function breaking() {
    const storage = memoryStorage();
    let pages = 0;
    const webhooks = {
      ...storage.webhooks,
      list: async (...asked: Parameters<typeof storage.webhooks.list>) => {
        if (++pages === 3) throw new Error('the storage is gone');
        return storage.webhooks.list(...asked);
      },
    };
    const dispatcher = createDispatcher({ storage: { ...storage, webhooks }, channels: [] });
    const [first] = (await createDispatcher({ storage, channels: [] }).webhooks.list()).items;
    expect(first).toBeUndefined();
    for (let i = 0; i < 3_001; i++) {
      await storage.webhooks.create({
        id: `wh_${String(i).padStart(10, '0')}`,
        tenantId: 'acme',
        name: 'n',
        eventTypes: ['*'],
        channels: [],
        isActive: true,
        secrets: [],
      });
    }
    return dispatcher;
  }

  test('is an error for the client, and onError gets the cause', async () => {
    const errors: unknown[] = [];
    const { handler, key } = await apiOf(await breaking(), { onError: (error) => errors.push(error) });
    const response = await handler(
      new Request(`${base}/webhooks`, { headers: { authorization: `Bearer ${key}` } }),
    );
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toMatchObject({ code: 'storage_failed' });
    expect(errors).toMatchObject([{ code: 'storage_failed' }]);
  });

  test('is read by HEAD only as far as necessary to know its status', async () => {
    const { call } = await apiOf(await breaking());
    for (let i = 0; i < 2; i++) expect((await call('HEAD', '/webhooks')).status).toBe(200);
  });
});

describe('keys that create keys', () => {
  test('create none that expires later, and a test key creates only test keys', async () => {
    const { call, dispatcher } = await apiOf();
    const expiresAt = new Date(Date.now() + 3_600_000);
    const { key } = await dispatcher.apiKeys.create({
      tenantId: 'acme',
      name: 'For an hour',
      mode: 'test',
      scopes: ['keys:write'],
      expiresAt,
    });
    const make = (more: object) =>
      call('POST', '/api-keys', { key, body: { name: 'k', scopes: ['keys:write'], ...more } });
    expect((await make({ mode: 'live' })).status).toBe(403);
    expect((await make({ expires_at: new Date(Date.now() + 7_200_000).toISOString() })).status).toBe(403);
    expect((await make({})).body).toMatchObject({ mode: 'test', expires_at: expiresAt.toISOString() });
  });
});

test('an auth function that reads the body is a 500 and not an error of the client', async () => {
  const errors: unknown[] = [];
  const { call } = await apiOf(engine(), {
    auth: async (request) => {
      await request.text();
      return { tenantId: 'acme', scopes: ['webhooks:write'] };
    },
    onError: (error) => errors.push(error),
  });
  expect((await call('POST', '/webhooks', { body: recorded() })).status).toBe(500);
  expect(errors).toEqual([new TypeError('auth must not read the body of the request')]);
});

test('a body that the application has already read is a 500, and onError reports it', async () => {
  const onError = vi.fn();
  const { handler, key } = await apiOf(engine(), { onError });
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  for (const length of [undefined, '2']) {
    const request = new Request(`${base}/replay`, {
      method: 'POST',
      headers: { ...headers, ...(length !== undefined && { 'content-length': length }) },
      body: '{}',
    });
    await request.text();
    const response = await handler(request);
    expect(response.status).toBe(500);
    expect(await response.text()).toContain('mount the API before anything that reads bodies');
    expect(onError).toHaveBeenLastCalledWith(expect.any(Error), expect.objectContaining({ status: 500 }));
  }
});

test('an error of the engine inside auth is not passed on to the client', async () => {
  const dispatcher = engine();
  const onError = vi.fn();
  const { call } = await apiOf(dispatcher, {
    auth: async () => {
      await dispatcher.webhooks.get('wh_0000000000', { tenantId: 'sessions' });
      return null;
    },
    onError,
  });
  expect((await call('GET', '/webhooks')).status).toBe(500);
  expect(onError.mock.calls[0]![0]).toMatchObject({ cause: { code: 'not_found' } });
});

test('a rate limit counts each key of each tenant separately', async () => {
  const { handler } = await apiOf(engine(), {
    auth: (request) => ({
      tenantId: request.headers.get('x-tenant')!,
      scopes: ['webhooks:read'],
      keyId: 'session',
    }),
    rateLimit: { perSecond: 0.01, burst: 1 },
  });
  const statusOf = async (tenant: string) =>
    (await handler(new Request(`${base}/webhooks`, { headers: { 'x-tenant': tenant } }))).status;
  expect([await statusOf('a'), await statusOf('a'), await statusOf('b')]).toEqual([200, 429, 200]);
});

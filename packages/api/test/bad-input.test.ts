import { createDispatcher, defineEvents } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { apiOf, base, engine, hook, recorded } from './api.js';

const event = (metadata: string, rest = '') => `{"event_type":"order.placed","metadata":${metadata}${rest}}`;

describe('3.3: payload and publish input', () => {
  test('P1: a body over the limit is a 413, and is not read to its end', async () => {
    const { handler, key } = await apiOf();
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(0x20));
      },
    });
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const request = new Request(`${base}/events`, {
      method: 'POST',
      headers,
      body,
      duplex: 'half',
    } as RequestInit);
    expect((await handler(request)).status).toBe(413);
    expect(pulled).toBeLessThan(600_000);
  });

  test('P1: a content-length over the limit is refused before anything is read', async () => {
    const { call } = await apiOf();
    const raw = event(JSON.stringify('x'.repeat(262_144)));
    const { status, body } = await call('POST', '/events', { raw });
    expect(status).toBe(413);
    expect(body.error.type).toBe('PayloadTooLargeError');
  });

  test.each([70, 100_000])('P2: JSON that nests %i levels deep is a 400, quickly', async (depth) => {
    const { call } = await apiOf();
    const raw = event('['.repeat(depth) + ']'.repeat(depth));
    const startedAt = performance.now();
    expect((await call('POST', '/events', { raw })).status).toBe(400);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test.each([
    ['P4: a field __proto__', '{"__proto__":{"polluted":1}}'],
    ['P5: a field constructor', '{"constructor":{"prototype":{"x":1}}}'],
    ['P6: numbers as they are spelled', '[1e400,12345678901234567890,-0,1.10]'],
    ['P7: the order of keys', '{"b":1,"a":2}'],
    ['P8: a key twice', '{"a":1,"a":2}'],
    ['P9: a lone surrogate', '"\\ud800"'],
    ['P10: NUL in a string', '"a\\u0000b"'],
    ['P13: null', 'null'],
    ['P13: false', 'false'],
    ['P13: 0', '0'],
    ['P13: an empty string', '""'],
    ['spaces and line breaks', '{ "a" :\n [ 1 , "}" ] }'],
    ['brackets and quotes in strings', '{"a":"]}\\"{[","b":"\\\\"}'],
  ])('%s is delivered byte for byte, and read back byte for byte', async (_, metadata) => {
    const { call, dispatcher } = await apiOf();
    await call('POST', '/webhooks', { body: recorded() });
    const { status, body } = await call('POST', '/events', { raw: event(metadata) });
    expect([status, body.deliveries]).toEqual([201, 1]);
    const { payload } = await dispatcher.events.get(body.event_id, { tenantId: 'acme' });
    expect(payload).toBe(metadata);
    expect((await call('GET', `/events/${body.event_id}`)).text).toContain(`"metadata":${metadata}`);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('P3: a body with as many keys as fit is answered quickly', async () => {
    const { call } = await apiOf();
    const keys = Array.from({ length: 20_000 }, (_, i) => `"k${i}":1`).join(',');
    const startedAt = performance.now();
    expect((await call('POST', '/events', { raw: event(`{${keys}}`) })).status).toBe(201);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test.each([
    ['invalid UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16 with its mark', new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00])],
    ['no JSON', '{"event_type":'],
    ['JavaScript', '{event_type:1}'],
  ])('P15: a body of %s is a 400', async (_, raw) => {
    const { call } = await apiOf();
    expect((await call('POST', '/events', { raw })).body).toMatchObject({
      status: 400,
      error: { type: 'BadRequestError' },
    });
  });

  test.each([
    ['P16: compressed', { 'content-encoding': 'gzip' }],
    ['P17: text', { 'content-type': 'text/plain' }],
    ['P17: of two types', { 'content-type': 'application/json, application/json' }],
    ['P17: a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['P17: in Latin-1', { 'content-type': 'application/json; charset=latin1' }],
    ['P17: of no type', { 'content-type': '' }],
  ])('%s is a 415', async (_, headers) => {
    const { call } = await apiOf();
    expect((await call('POST', '/events', { raw: event('1'), headers })).status).toBe(415);
  });

  test.each(['evt_1.2', 'evt 1', 'evt_1\r\nx: y', 'e'.repeat(300), 'evt_😀'])(
    'P18: an event with the id %j is refused, as with any id: the server assigns ids',
    async (event_id) => {
      const { call, dispatcher } = await apiOf();
      for (const name of ['event_id', 'id']) {
        const raw = event('1', `,"${name}":${JSON.stringify(event_id)}`);
        const { status, body } = await call('POST', '/events', { raw });
        expect([status, body.detail[0].loc]).toEqual([422, ['body', name]]);
      }
      expect((await dispatcher.events.list({ tenantId: 'acme' })).items).toEqual([]);
      const { body } = await call('POST', '/events', { raw: event('1') });
      expect(body.event_id).toMatch(/^evt_[0-9A-Za-z]{22}$/);
    },
  );

  test.each(['x'.repeat(256), 'ключ', 'a\tb', ''])('P19: the idempotency key %j is a 400', async (key) => {
    const { call, dispatcher } = await apiOf();
    const headers = { 'idempotency-key': key.replace(/[^\0-\xff]/g, '\xe9') };
    expect((await call('POST', '/events', { raw: event('1'), headers })).status).toBe(400);
    expect((await dispatcher.events.list({ tenantId: 'acme' })).items).toEqual([]);
  });

  test.each([
    '+275760-09-13T00:00:00Z',
    'NaN',
    '-1',
    '1969-12-31T23:59:59Z',
    '2026-01-01',
    '2026-13-01T00:00:00Z',
  ])('P20: the instant %s is refused, with its place', async (occurred_at) => {
    const { call } = await apiOf();
    const { status, body } = await call('POST', '/events', {
      raw: event('1', `,"occurred_at":"${occurred_at}"`),
    });
    expect(status).toBe(422);
    expect(body.detail).toMatchObject([{ loc: ['body', 'occurred_at'] }]);
  });

  test('P22: an idempotency key belongs to its tenant; using it again repeats the first answer, or is a 409 with another event', async () => {
    const { call, dispatcher } = await apiOf();
    const headers = { 'idempotency-key': 'order o1' };
    const first = await call('POST', '/events', { raw: event('1'), headers });
    expect((await call('POST', '/events', { raw: event('1'), headers })).body).toEqual(first.body);
    expect((await call('POST', '/events', { raw: event('2'), headers })).status).toBe(409);
    const { key } = await dispatcher.apiKeys.create({
      tenantId: 'other',
      name: 'k',
      scopes: ['events:write'],
    });
    const other = await call('POST', '/events', { raw: event('2'), headers, key });
    expect(other.status).toBe(201);
    expect(other.body.event_id).not.toBe(first.body.event_id);
  });

  test('a payload that the catalog refuses is a 422 with the place', async () => {
    const events = defineEvents({ 'order.placed': z.object({ total: z.number() }) });
    const dispatcher = createDispatcher({
      storage: memoryStorage(),
      channels: [recordingChannel('record')],
      events,
    });
    const { call } = await apiOf(dispatcher);
    expect((await call('POST', '/events', { raw: event('{"total":"1"}') })).body.detail).toMatchObject([
      { loc: ['body', 'metadata', 'total'] },
    ]);
    expect(
      (await call('POST', '/events', { raw: '{"event_type":"order.shipped","metadata":1}' })).body.detail,
    ).toMatchObject([{ loc: ['body', 'event_type'] }]);
    expect(
      (await call('POST', '/webhooks', { body: recorded('x', ['order.shipped']) })).body.detail,
    ).toMatchObject([{ loc: ['body', 'event_types', 0] }]);
  });

  test('an event without a payload, or without a type, is a 422', async () => {
    const { call } = await apiOf();
    expect((await call('POST', '/events', { body: { event_type: 'a' } })).body.detail).toEqual([
      { loc: ['body', 'metadata'], msg: 'is required', type: 'missing' },
    ]);
    expect((await call('POST', '/events', { body: { metadata: 1 } })).body.detail).toEqual([
      { loc: ['body', 'event_type'], msg: 'is required', type: 'missing' },
    ]);
    expect((await call('POST', '/events')).status).toBe(422);
  });
});

describe('3.6: the management API', () => {
  test.each([
    ['tenantId', '{"tenantId":"B"}'],
    ['id', '{"id":"x"}'],
    ['secret', '{"secret":"whsec_x"}'],
    ['createdAt', '{"createdAt":"2020-01-01T00:00:00Z"}'],
    ['__proto__', '{"__proto__":{"admin":true}}'],
  ])('A9: the field %s is refused on create and on replace', async (name, json) => {
    const { call } = await apiOf();
    const { body: webhook } = await call('POST', '/webhooks', { body: recorded() });
    const raw = `${JSON.stringify(recorded('New')).slice(0, -1)},${json.slice(1)}`;
    for (const [method, path] of [
      ['POST', '/webhooks'],
      ['PUT', `/webhooks/${webhook.webhook_id}`],
    ] as const) {
      expect(await call(method, path, { raw })).toMatchObject({
        status: 422,
        body: { detail: [{ loc: ['body', name], type: 'extra_forbidden' }] },
      });
    }
    expect((await call('GET', '/webhooks')).body).toEqual([webhook]);
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  test.each(["' OR 1=1--", "x'); DROP TABLE", '\\', '%_', '$1'])(
    'A10: the filter %s finds nothing or is refused',
    async (text) => {
      const { call } = await apiOf();
      await call('POST', '/webhooks', { body: recorded() });
      const query = encodeURIComponent(text);
      expect((await call('GET', `/events?event_type=${query}`)).status).toBe(422);
      expect((await call('GET', `/deliveries?webhook_id=${query}`)).status).toBe(422);
      expect((await call('POST', '/webhooks/list', { body: { event_type: text } })).status).toBe(422);
      expect((await call('GET', `/webhooks/${query}`)).status).toBe(404);
    },
  );

  test.each(['sort=created_at;drop', 'order=asc,(select pg_sleep(9))'])(
    'A11: there is no %s',
    async (query) => {
      const { call } = await apiOf();
      expect((await call('GET', `/deliveries?${query}`)).status).toBe(422);
    },
  );

  test.each(['0', '-1', '1e9', 'NaN', '1e3', 'abc', '', ' 7', '1001', '1.5', '5&limit=5'])(
    'A13: limit=%s is refused',
    async (limit) => {
      const { call } = await apiOf();
      for (const [method, path] of [
        ['GET', '/deliveries'],
        ['GET', '/events'],
        ['POST', '/webhooks/list'],
      ] as const) {
        expect(await call(method, `${path}?limit=${limit}`)).toMatchObject({
          status: 422,
          body: { detail: [{ loc: ['query', 'limit'] }] },
        });
      }
    },
  );

  test('A14: a cursor is refused if it is altered, huge, or of another tenant or query', async () => {
    const { call, dispatcher } = await apiOf();
    for (const name of ['a', 'b', 'c']) await call('POST', '/webhooks', { body: recorded(name) });
    const { body } = await call('POST', '/webhooks/list?limit=1');
    const cursor: string = body.pagination.next_cursor;
    expect((await call('POST', `/webhooks/list?limit=1&cursor=${cursor}`)).body.results[0].webhook_name).toBe(
      'b',
    );
    const { key } = await dispatcher.apiKeys.create({
      tenantId: 'other',
      name: 'k',
      scopes: ['webhooks:read'],
    });
    const changed = (cursor[0] === 'M' ? 'N' : 'M') + cursor.slice(1);
    for (const wrong of [
      changed,
      `${cursor}x`,
      cursor.slice(1),
      'MQ',
      '',
      'x'.repeat(100_000),
      '1',
      '../..',
    ]) {
      expect((await call('POST', `/webhooks/list?cursor=${wrong}`)).status).toBe(422);
    }
    expect((await call('POST', `/webhooks/list?cursor=${cursor}`, { key })).status).toBe(422);
    expect(
      (await call('POST', `/webhooks/list?cursor=${cursor}`, { body: { is_active: true } })).status,
    ).toBe(422);
    expect((await call('GET', `/deliveries?cursor=${cursor}`, {})).status).toBe(422);
  });

  test('A15: nested query parameters, and ten thousand of them, are refused', async () => {
    const { call } = await apiOf();
    expect((await call('GET', '/deliveries?a[]=1')).status).toBe(422);
    expect((await call('GET', '/deliveries?a[__proto__][x]=1')).status).toBe(422);
    expect((await call('GET', '/deliveries?__proto__=1')).status).toBe(422);
    const many = Array.from({ length: 10_000 }, (_, i) => `k${i}=1`).join('&');
    const { status, text } = await call('GET', `/deliveries?${many}`);
    expect(status).toBe(422);
    expect(text.length).toBeLessThan(20_000);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  test.each([
    '../',
    '%2e%2e%2f',
    '%00',
    'null',
    '%',
    '%ff',
    'wh_',
    'x'.repeat(1_000_000),
    '%2F',
    'wh_abcdefghij%0a',
  ])('A16: the id %.20s finds nothing', async (id) => {
    const { call } = await apiOf();
    for (const [method, path] of [
      ['GET', `/deliveries/${id}`],
      ['POST', `/deliveries/${id}/retry`],
      ['GET', `/events/${id}`],
      ['GET', `/webhooks/${id}/secret`],
    ] as const) {
      expect([404, 405]).toContain((await call(method, path)).status);
    }
  });

  test('A17: an unsupported method is a 405 that lists the supported ones; a method in a header is ignored', async () => {
    const { call } = await apiOf();
    const patched = await call('PATCH', '/webhooks', { body: {} });
    expect(patched.status).toBe(405);
    expect(patched.headers.get('allow')).toBe('POST, GET, HEAD');
    expect((await call('HEAD', '/webhooks/list')).status).toBe(404);
    expect((await call('PATCH', '/webhooks/list')).headers.get('allow')).toBe('POST, GET, HEAD, PUT, DELETE');
    expect((await call('HEAD', '/events/x/y')).status).toBe(404);
    expect((await call('HEAD', '/replay')).status).toBe(405);
    const overridden = await call('GET', '/webhooks', { headers: { 'x-http-method-override': 'DELETE' } });
    expect(overridden.body).toEqual([]);
  });

  test('HEAD answers as GET does, without its body', async () => {
    const { call } = await apiOf();
    const { body } = await call('POST', '/webhooks', { body: recorded() });
    const { status, text, headers } = await call('HEAD', `/webhooks/${body.webhook_id}`);
    expect([status, text, headers.get('etag')]).toEqual([200, '', expect.stringMatching(/^"1-\w+"$/)]);
  });

  test('A22: too many channels, event types or headers are refused', async () => {
    const { call } = await apiOf();
    const { status, body } = await call('POST', '/webhooks', {
      body: { ...recorded(), event_types: Array.from({ length: 1_001 }, (_, i) => `t${i}.x`) },
    });
    expect([status, body.detail[0].loc]).toEqual([422, ['body', 'event_types']]);
    expect(
      (await call('POST', '/webhooks', { body: { ...recorded(), channels: Array(51).fill(hook()) } })).body
        .detail[0].loc,
    ).toEqual(['body', 'channels']);
    const headers = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`x-${i}`, 'v']));
    const channels = [{ channel: 'webhook', configs: { url: 'https://example.com', headers } }];
    expect((await call('POST', '/webhooks', { body: { ...recorded(), channels } })).status).toBe(422);
  });

  test('A21: test calls are rate limited per tenant, and all calls per key', async () => {
    const { call } = await apiOf(engine(), {
      testRateLimit: { perSecond: 0.01, burst: 2 },
      rateLimit: { perSecond: 0.01, burst: 6 },
    });
    const { body } = await call('POST', '/webhooks', { body: recorded() });
    const sent = () => call('POST', `/webhooks/${body.webhook_id}/test`);
    expect([(await sent()).status, (await sent()).status]).toEqual([200, 200]);
    const refused = await sent();
    expect(refused.body).toMatchObject({ status: 429, error: { type: 'TooManyRequestsError' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(90);
    expect((await call('GET', '/webhooks')).status).toBe(200);
    expect((await call('GET', '/webhooks')).status).toBe(200);
    expect((await call('GET', '/webhooks')).status).toBe(429);
  });

  test('A25: a change with the ETag of an older version is a 412, and changes nothing', async () => {
    const { call } = await apiOf();
    const { body, headers } = await call('POST', '/webhooks', { body: recorded('one') });
    const path = `/webhooks/${body.webhook_id}`;
    const etag = headers.get('etag')!;
    const changed = await call('PUT', path, { body: recorded('two'), headers: { 'if-match': etag } });
    expect(changed.status).toBe(200);
    expect(changed.headers.get('etag')).not.toBe(etag);
    for (const stale of [etag, `W/${changed.headers.get('etag')}`, '"abc"', '2', `${etag}, "7"`]) {
      const lost = await call('PUT', path, { body: recorded('three'), headers: { 'if-match': stale } });
      expect(lost.body).toMatchObject({ status: 412, error: { type: 'PreconditionFailedError' } });
      expect((await call('DELETE', path, { headers: { 'if-match': stale } })).status).toBe(412);
    }
    expect((await call('GET', path)).body.webhook_name).toBe('two');
    const present = changed.headers.get('etag')!;
    for (const good of ['*', `${etag}, ${present}`, present]) {
      expect((await call('PUT', path, { body: recorded('two'), headers: { 'if-match': good } })).status).toBe(
        200,
      );
    }
    for (const gone of [present, '*', etag]) {
      expect((await call('DELETE', path, { headers: { 'if-match': gone } })).status).toBe(204);
    }
    expect(
      (await call('PUT', path, { body: recorded('four'), headers: { 'if-match': present } })).status,
    ).toBe(404);
  });

  test('A30: a failure of the storage is a 500 with a request id, and without any text of the storage', async () => {
    const storage = memoryStorage();
    const webhooks = {
      ...storage.webhooks,
      list: async () => {
        throw new Error('select * from secret_table at postgres://user:pass@db');
      },
    };
    const dispatcher = createDispatcher({ storage: { ...storage, webhooks }, channels: [] });
    const told: unknown[] = [];
    const { call } = await apiOf(dispatcher, { onError: (error, answered) => told.push(error, answered) });
    const { status, body, text, headers } = await call('GET', '/webhooks');
    expect(status).toBe(500);
    expect(text).not.toMatch(/select|postgres|pass|stack| at /);
    const { request_id } = body.error.details;
    expect(headers.get('x-request-id')).toBe(request_id);
    expect(told).toMatchObject([
      { code: 'storage_failed' },
      { requestId: request_id, route: '/webhooks', method: 'GET', status: 500, caller: { tenantId: 'acme' } },
    ]);
  });

  test('A32: a polluted Object.prototype gives no access', async () => {
    const pollution = {
      tenantId: 'acme',
      scopes: ['webhooks:read'],
      auth: () => null,
      rateLimit: false,
      isSending: true,
    };
    Object.assign(Object.prototype, pollution);
    try {
      const { handler } = await apiOf();
      expect((await handler(new Request(`${base}/webhooks`))).status).toBe(401);
    } finally {
      for (const name of Object.keys(pollution)) delete (Object.prototype as Record<string, unknown>)[name];
    }
  });

  test('A33: other origins are refused unless they are listed, and browsers send them no cookies', async () => {
    const ask = {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET' },
    };
    const { handler } = await apiOf();
    const closed = await handler(new Request(`${base}/webhooks`, ask));
    expect([...closed.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    const opened = (await apiOf(engine(), { cors: { origins: ['https://app.example'] } })).handler;
    const evil = await opened(new Request(`${base}/webhooks`, ask));
    expect(evil.headers.has('access-control-allow-origin')).toBe(false);
    const headers = { ...ask.headers, origin: 'https://app.example' };
    const good = await opened(new Request(`${base}/webhooks`, { ...ask, headers }));
    expect([good.status, good.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'https://app.example',
    ]);
    expect(good.headers.has('access-control-allow-credentials')).toBe(false);
    await expect(apiOf(engine(), { cors: { origins: ['*'] } })).rejects.toMatchObject({
      code: 'invalid_option',
    });
  });

  test.each(['/v1/organizations', '/hooks', ''])(
    'A31: mounted at %j, no spelling of a path bypasses authentication',
    async (basePath) => {
      const { handler } = await apiOf(engine(), { basePath });
      for (const path of [
        '/webhooks',
        '/webhooks/',
        '//webhooks',
        '/webhooks//',
        '/%2fwebhooks',
        '/./webhooks',
        '/x/../webhooks',
        '/nothing',
      ]) {
        const { status } = await handler(new Request(`http://api.test${basePath}${path}`));
        expect([path, status]).toEqual([path, 401]);
      }
    },
  );
});

describe('3.7: event patterns', () => {
  test.each([
    ['E2', '*(*(*(a|b)))'],
    ['E2', '+(a|b)'],
    ['E2', '{a,b}'],
    ['E2', '[a-z]'],
    ['E2', '!(x)'],
    ['E3', '**.**.**.**'],
    ['E4', '(a+)+$'],
    ['E5', 'user.'],
    ['E5', '.user'],
    ['E5', 'user..x'],
    ['E5', ''],
    ['E5', `${'a'.repeat(128)}x`],
    ['E7', 'user.**'],
    ['E7', 'us*r'],
    ['E7', 'user*'],
    ['E10', "user.'%_\\ 😀"],
    ['E10', 'user.created\n'],
  ])('%s: the invalid pattern %s is refused, with its place', async (_, pattern) => {
    const { call } = await apiOf();
    const { status, body } = await call('POST', '/webhooks', { body: recorded('x', ['ok', pattern]) });
    expect(status).toBe(422);
    expect(body.detail).toMatchObject([{ loc: ['body', 'event_types', 1] }]);
  });

  test.each([
    ['E6', 'user.*', 'user.created', 1],
    ['E6', 'user.*', 'user.a.b', 1],
    ['E6', 'user.*', 'user', 0],
    ['E6', 'user.*', 'users.x', 0],
    ['E8', '__proto__', '__proto__', 1],
    ['E8', 'constructor', 'hasOwnProperty', 0],
    ['E9', 'user.created', 'USER.created', 0],
    ['E1', '*.*.*.*.*.*', 'a.a.a.a.a.a', 1],
  ])('%s: %s and %s: %i deliveries', async (_, pattern, type, deliveries) => {
    const { call } = await apiOf();
    await call('POST', '/webhooks', { body: recorded('x', [pattern]) });
    const { body } = await call('POST', '/events', { body: { event_type: type, metadata: 1 } });
    expect(body.deliveries).toBe(deliveries);
  });

  test.each([
    ['E12', 'data.__proto__.x == 1'],
    ['E12', { $where: 'true' }],
    ['E12', '?(@.constructor)'],
    ['E13', { in: Array.from({ length: 10_000 }, (_, i) => `${i}`) }],
  ])('%s: webhooks select events only by type: the filter %j is an unknown field', async (_, filter) => {
    const { call, dispatcher } = await apiOf();
    const { status, body } = await call('POST', '/webhooks', { body: { ...recorded(), filter } });
    expect([status, body.detail]).toEqual([
      422,
      [{ loc: ['body', 'filter'], msg: 'no such field', type: 'extra_forbidden' }],
    ]);
    expect((await dispatcher.webhooks.list({ tenantId: 'acme' })).items).toEqual([]);
  });

  test.each<[string, string, object?]>([
    ['GET', '/deliveries?status=gone'],
    ['POST', '/api-keys', { name: 'k', mode: 'prod', scopes: ['webhooks:red'] }],
    ['POST', '/api-keys', { name: 'k', scopes: [] }],
    ['POST', '/replay', { status: ['lost'] }],
    ['POST', '/replay', { status: [] }],
    ['POST', '/replay', { status: 'dead', per_second: 'fast' }],
    ['POST', '/webhooks/list?limit=0&offset=x', { is_active: 'yes', event_type: 7 }],
    ['POST', '/events', { event_type: 7, metadata: 1, subject: 'o1', cache_scope: [] }],
    ['POST', '/webhooks', { webhook_name: 7, event_types: 'order.*', channels: 'slack', is_active: 1 }],
    [
      'POST',
      '/webhooks',
      { ...recorded(), channels: [{ channel: 7, configs: 7, digest: 7, only_after: 7 }] },
    ],
    ['POST', '/webhooks', { ...recorded(), channels: [] }],
    ['POST', '/webhooks', [1]],
  ])('%s %s lists the valid choices when it refuses %j', async (method, path, body) => {
    const { call } = await apiOf();
    const answered = await call(method, path, { body });
    expect(answered.status).toBe(422);
    for (const { msg } of answered.body.detail) expect(msg).toMatch(/^(must|is required|no such|goes)/);
  });

  test('E14: without a catalog, any event type is accepted', async () => {
    const { call } = await apiOf();
    expect((await call('POST', '/webhooks', { body: recorded('x', ['never.heard']) })).status).toBe(201);
  });

  test('E15: an empty list of event types is refused', async () => {
    const { call } = await apiOf();
    const { status, body } = await call('POST', '/webhooks', { body: recorded('x', []) });
    expect([status, body.detail[0].loc]).toEqual([422, ['body', 'event_types']]);
  });
});

import { describe, expect, test } from 'vitest';
import { webhookCreateSchema } from '../../src/wire/webhook.js';
import { apiOf, engine, hook, keyOf, recorded } from '../api.js';

describe('creating', () => {
  test('answers 201 with exactly the webhook of the contract', async () => {
    const { call } = await apiOf();
    const { status, body, headers } = await call('POST', '/webhooks', {
      body: { webhook_name: 'Acme', event_types: ['order.*', '*'], channels: [hook()], internal_id: 'org_1' },
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      webhook_id: expect.stringMatching(/^wh_[0-9A-Za-z]{10}$/),
      webhook_name: 'Acme',
      event_types: ['order.*', '*'],
      channels: [{ channel: 'webhook', configs: { url: 'https://example.com/hooks' } }],
      is_active: true,
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      updated_at: body.created_at,
    });
    expect(headers.get('etag')).toMatch(/^"1-\w+"$/);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('accepts an id of the client once, and then answers 409 to every tenant', async () => {
    const { call, dispatcher } = await apiOf();
    const body = { webhook_id: 'wh_abcDEF1234', ...recorded() };
    expect((await call('POST', '/webhooks/', { body })).body.webhook_id).toBe('wh_abcDEF1234');
    expect((await call('POST', '/webhooks', { body })).status).toBe(409);
    const key = await keyOf(dispatcher, 'other');
    const other = await call('POST', '/webhooks', { body, key });
    expect(other).toMatchObject({
      status: 409,
      body: { success: false, status: 409, error: { type: 'ConflictError' } },
    });
  });

  test('accepts null for optional fields, and every example of the document', async () => {
    const { call } = await apiOf();
    const nothing = { webhook_id: null, is_active: null, created_at: null, updated_at: null };
    expect((await call('POST', '/webhooks', { body: { ...recorded(), ...nothing } })).body.is_active).toBe(
      true,
    );
    const { examples } = webhookCreateSchema.shape.channels.element.meta() as { examples: object[] };
    for (const example of examples) {
      const channels = 'only_after' in example ? [example, examples[4]] : [example];
      const { status, body } = await call('POST', '/webhooks', { body: { ...recorded(), channels } });
      expect([status, example, body.detail]).toEqual([201, example, undefined]);
    }
  });

  test('with is_active false creates a webhook that gets no events', async () => {
    const { call } = await apiOf();
    await call('POST', '/webhooks', { body: { ...recorded(), is_active: false } });
    const sent = await call('POST', '/events', { body: { event_type: 'order.placed', metadata: {} } });
    expect(sent.body.deliveries).toBe(0);
  });

  test.each([
    ['no name', { webhook_name: undefined }, ['body', 'webhook_name'], 'missing'],
    ['an empty name', { webhook_name: '' }, ['body', 'webhook_name'], 'value_error'],
    ['a name of 201 characters', { webhook_name: '😀'.repeat(201) }, ['body', 'webhook_name'], 'value_error'],
    ['a name that is a number', { webhook_name: 1 }, ['body', 'webhook_name'], 'invalid_type'],
    ['no channels', { channels: [] }, ['body', 'channels'], 'too_small'],
    [
      'a channel without configs',
      { channels: [{ channel: 'webhook' }] },
      ['body', 'channels', 0, 'configs'],
      'missing',
    ],
    [
      'an unknown channel',
      { channels: [{ channel: 'fax', configs: {} }] },
      ['body', 'channels', 0, 'channel'],
      'value_error',
    ],
    ['an id of another form', { webhook_id: 'wh_1' }, ['body', 'webhook_id'], 'invalid_format'],
    [
      'a typo in configs',
      { channels: [{ channel: 'webhook', configs: { url: 'https://example.com', urll: 1 } }] },
      ['body', 'channels', 0, 'configs', 'urll'],
      'value_error',
    ],
    [
      'an address in a private network',
      { channels: [hook('http://169.254.169.254/')] },
      ['body', 'channels', 0, 'configs', 'url'],
      'value_error',
    ],
    [
      'an invalid phone number',
      { channels: [{ channel: 'sms', configs: { phone_numbers: ['+12025550143', '911'] } }] },
      ['body', 'channels', 0, 'configs', 'phone_numbers', 1],
      'value_error',
    ],
  ])('refuses %s, with its place', async (_, change, loc, type) => {
    const { call, dispatcher } = await apiOf();
    const { status, body } = await call('POST', '/webhooks', { body: { ...recorded(), ...change } });
    expect(status).toBe(422);
    expect(body).toEqual({ detail: [{ loc, msg: expect.any(String), type }] });
    expect((await dispatcher.webhooks.list({ tenantId: 'acme' })).items).toEqual([]);
  });

  test('reports every place that is wrong, not only the first', async () => {
    const { call } = await apiOf();
    const { body } = await call('POST', '/webhooks', {
      body: { event_types: [1, 'a..b'], channels: 'no', more: 1 },
    });
    expect(body.detail.map(({ loc }: { loc: unknown[] }) => loc.join('.')).sort()).toEqual([
      'body.channels',
      'body.event_types.0',
      'body.event_types.1',
      'body.more',
      'body.webhook_name',
    ]);
  });
});

describe('reading', () => {
  test('by name finds the newest webhook with that name, unless an id matches', async () => {
    const { call } = await apiOf();
    const older = (await call('POST', '/webhooks', { body: recorded('Übung / 1') })).body;
    const newer = (await call('POST', '/webhooks', { body: recorded('Übung / 1') })).body;
    await call('POST', '/webhooks', { body: recorded(older.webhook_id) });
    expect((await call('GET', `/webhooks/${encodeURIComponent('Übung / 1')}`)).body).toEqual(newer);
    expect((await call('GET', `/webhooks/${older.webhook_id}/`)).body).toEqual(older);
    expect(await call('GET', '/webhooks/unknown')).toMatchObject({
      status: 404,
      body: { success: false, status: 404, error: { type: 'NotFoundError', details: {} } },
    });
  });

  test('GET returns all webhooks as an array, newest first, also more than a page', async () => {
    const { call, dispatcher } = await apiOf();
    const channels = [{ channel: 'record', configs: {} }];
    for (let i = 0; i < 2_001; i++) {
      await dispatcher.webhooks.create({ tenantId: 'acme', name: `n${i}`, eventTypes: ['*'], channels });
    }
    const { body } = await call('GET', '/webhooks/');
    expect(body.map((one: { webhook_name: string }) => one.webhook_name)).toEqual(
      Array.from({ length: 2_001 }, (_, i) => `n${2_000 - i}`),
    );
  });

  test.each([0, 1_000, 1_001, 2_000])('GET of %i webhooks is valid JSON', async (count) => {
    const { call, dispatcher } = await apiOf();
    const channels = [{ channel: 'record', configs: {} }];
    for (let i = 0; i < count; i++) {
      await dispatcher.webhooks.create({ tenantId: 'acme', name: 'n', eventTypes: ['*'], channels });
    }
    expect((await call('GET', '/webhooks')).body).toHaveLength(count);
  });
});

describe('listing', () => {
  async function five() {
    const api = await apiOf();
    for (let i = 0; i < 5; i++) {
      await api.call('POST', '/webhooks', {
        body: { ...recorded(`n${i}`, [i % 2 ? 'order.*' : 'user.created']), is_active: i !== 4 },
      });
    }
    const names = ({ body }: { body: { results: { webhook_name: string }[] } }) =>
      body.results.map((one) => one.webhook_name);
    return { ...api, names };
  }

  test('by offset numbers the pages; the top-level total is always present, as clients of the hosted product require', async () => {
    const { call, names } = await five();
    const first = await call('POST', '/webhooks/list?limit=2&include_total=True', { body: {} });
    expect(names(first)).toEqual(['n4', 'n3']);
    expect(first.body.total).toBe(5);
    expect(first.body.pagination).toEqual({
      total: 5,
      page: 1,
      page_size: 2,
      total_pages: 3,
      next_page: 2,
      previous_page: null,
      next_cursor: expect.any(String),
    });
    const last = await call('POST', '/webhooks/list?limit=2&offset=4');
    expect(names(last)).toEqual(['n0']);
    expect(last.body).toMatchObject({
      total: 5,
      pagination: {
        total: null,
        page: 3,
        total_pages: null,
        next_page: null,
        previous_page: 2,
        next_cursor: null,
      },
    });
  });

  test('by cursor has each webhook on one page, and no page numbers', async () => {
    const { call, names } = await five();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await call('POST', `/webhooks/list?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
      seen.push(...names(page));
      if (cursor !== null)
        expect(page.body.pagination).toMatchObject({ page: null, next_page: null, previous_page: null });
      cursor = page.body.pagination.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(['n4', 'n3', 'n2', 'n1', 'n0']);
  });

  test('filters by matching event type, by exact pattern, and by activity', async () => {
    const { call, names } = await five();
    const by = async (body: object) => names(await call('POST', '/webhooks/list', { body }));
    expect(await by({ event_type: 'order.placed' })).toEqual(['n3', 'n1']);
    expect(await by({ event_type: 'order.*' })).toEqual(['n3', 'n1']);
    expect(await by({ event_type: 'user.*' })).toEqual([]);
    expect(await by({ is_active: false })).toEqual(['n4']);
    expect(await by({ event_type: null, is_active: null })).toHaveLength(5);
    expect(await by({ event_type: 'user.created', is_active: true })).toEqual(['n2', 'n0']);
  });

  test('refuses an offset with a cursor, and an offset over 10,000', async () => {
    const { call } = await five();
    const { body } = await call('POST', '/webhooks/list?limit=2');
    const { next_cursor } = body.pagination;
    expect((await call('POST', `/webhooks/list?limit=2&offset=2&cursor=${next_cursor}`)).status).toBe(422);
    expect((await call('POST', `/webhooks/list?limit=2&offset=0&cursor=${next_cursor}`)).status).toBe(200);
    expect((await call('POST', '/webhooks/list?offset=10001')).status).toBe(422);
    expect((await call('POST', '/webhooks/list', { body: { event_typ: 'a' } })).body.detail[0].loc).toEqual([
      'body',
      'event_typ',
    ]);
  });
});

describe('replacing', () => {
  test('replaces name, event types, channels and activity; created_at never changes', async () => {
    const { call } = await apiOf();
    const before = (await call('POST', '/webhooks', { body: { ...recorded(), is_active: false } })).body;
    const sent = {
      ...before,
      ...recorded('New', ['user.*']),
      is_active: undefined,
      created_at: '2001-01-01T00:00:00Z',
    };
    const { status, body } = await call('PUT', `/webhooks/${before.webhook_id}`, { body: sent });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      webhook_name: 'New',
      event_types: ['user.*'],
      is_active: true,
      created_at: before.created_at,
    });
    expect((await call('GET', `/webhooks/${before.webhook_id}`)).body).toEqual(body);
  });

  test('changes nothing if a webhook is read and sent back, secrets included', async () => {
    const { call, dispatcher } = await apiOf();
    const configs = { url: 'https://example.com/hooks', headers: { authorization: 'Bearer s3cret' } };
    const slack = { webhook_url: 'https://hooks.slack.com/services/T0/B0/s3cret' };
    const channels = [
      { channel: 'webhook', configs },
      { channel: 'slack', configs: slack },
      { channel: 'slack', configs: { bot_token: 'xoxb-s3cret-s3cret', channel_id: 'C0123456789' } },
    ];
    const made = await call('POST', '/webhooks', { body: { ...recorded(), channels } });
    expect(made.text).not.toContain('s3cret');
    expect(made.body.channels[0].configs.headers).toEqual({ authorization: '***' });
    const { webhook_id } = made.body;
    const again = await call('PUT', `/webhooks/${webhook_id}`, { body: made.body });
    expect(again.body).toEqual(made.body);
    expect(again.headers.get('etag')).toBe(made.headers.get('etag'));
    const typed = await call('PUT', `/webhooks/${webhook_id}`, {
      body: {
        ...made.body,
        channels: [{ channel: 'webhook', configs: { ...configs, headers: { 'x-new': '***' } } }],
      },
    });
    expect(typed.body.detail[0].loc).toEqual(['body', 'channels', 0, 'configs', 'headers', 'x-new']);
    expect((await dispatcher.webhooks.get(webhook_id, { tenantId: 'acme' })).version).toBe(1);
  });

  test('refuses another id in the body, and answers 404 if there is no such webhook', async () => {
    const { call } = await apiOf();
    const { webhook_id } = (await call('POST', '/webhooks', { body: recorded() })).body;
    const other = { ...recorded(), webhook_id: 'wh_0000000000' };
    expect((await call('PUT', `/webhooks/${webhook_id}`, { body: other })).body.detail[0].loc).toEqual([
      'body',
      'webhook_id',
    ]);
    expect((await call('PUT', '/webhooks/wh_0000000000', { body: other })).status).toBe(404);
  });
});

describe('deleting', () => {
  test('answers 204 without a body, also the second time', async () => {
    const { call } = await apiOf();
    const { webhook_id } = (await call('POST', '/webhooks', { body: recorded() })).body;
    for (let i = 0; i < 2; i++) {
      const { status, text, headers } = await call('DELETE', `/webhooks/${webhook_id}/`);
      expect([status, text, headers.get('content-type')]).toEqual([204, '', null]);
    }
    expect((await call('GET', `/webhooks/${webhook_id}`)).status).toBe(404);
  });
});

describe('secrets', () => {
  test('A18: only the call for the secret, and rotation, return a signing secret', async () => {
    const { call, dispatcher } = await apiOf(engine());
    const { webhook_id } = (await call('POST', '/webhooks', { body: recorded() })).body;
    const path = `/webhooks/${webhook_id}`;
    const { secret } = (await call('GET', `${path}/secret`)).body;
    expect(secret).toBe(await dispatcher.webhooks.revealSecret(webhook_id, { tenantId: 'acme' }));
    await call('POST', '/events', { body: { event_type: 'order.placed', metadata: 1 } });
    await dispatcher.drain();
    const delivery = (await call('GET', '/deliveries')).body.results[0].delivery_id;
    for (const read of [
      '/webhooks',
      path,
      '/events',
      '/deliveries',
      `/deliveries/${delivery}`,
      '/openapi.json',
    ]) {
      expect((await call('GET', read)).text).not.toContain(secret.slice(6));
    }
    const rotated = (await call('POST', `${path}/rotate-secret`)).body.secret;
    expect(rotated).not.toBe(secret);
    expect((await call('GET', `${path}/secret`)).body.secret).toBe(rotated);
    const ed25519 = (await call('POST', `${path}/rotate-secret`, { body: { kind: 'v1a', overlap: 0 } })).body
      .secret;
    expect(ed25519).toMatch(/^whsk_/);
    const given = await call('POST', `${path}/rotate-secret`, { body: { secret: 'whsec_short' } });
    expect(given.body.detail[0]).toMatchObject({ loc: ['body', 'secret'] });
    expect(given.text).not.toContain('whsec_short');
    expect((await call('POST', `${path}/rotate-secret`, { body: { overlap: -1 } })).status).toBe(422);
  });
});

test('10,000 webhooks are read page by page, each once, and the last page as fast as the first', async () => {
  const { call, dispatcher } = await apiOf();
  const many = 10_000;
  const { channels } = recorded();
  for (let i = 0; i < many; i++) {
    await dispatcher.webhooks.create({ tenantId: 'acme', name: `w${i}`, eventTypes: ['a'], channels });
  }
  const seen = new Set<string>();
  const times: number[] = [];
  let next: string | null = null;
  do {
    const cursor: string = next === null ? '' : `&cursor=${next}`;
    const before = process.cpuUsage();
    const { body } = await call('POST', `/webhooks/list?limit=100${cursor}`);
    const { user, system } = process.cpuUsage(before);
    times.push(user + system);
    for (const { webhook_id } of body.results) seen.add(webhook_id);
    next = body.pagination.next_cursor;
  } while (next !== null);
  expect([seen.size, times.length]).toEqual([many, 100]);
  const fastest = (from: number, to: number) => Math.min(...times.slice(from, to));
  expect(fastest(90, 100)).toBeLessThan(fastest(0, 10) * 3);
});

import { createDispatcher, PosthornError } from '@posthorn/core';
import { createOutbound } from '@posthorn/outbound';
import { memoryStorage } from '@posthorn/storage-memory';
import { until } from '@posthorn/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type HttpConfigs, httpChannel, type PayloadTemplate, type TemplateContext } from '../src/index.js';
import { event, message, secret, sender } from './message.js';
import { receiver } from './receiver.js';

/** Answers every request alike. */
const answering = (status: number, body = '', headers: Record<string, string | string[]> = {}) =>
  receiver((response) => response.writeHead(status, headers).end(body));

describe('verdicts', () => {
  test.each([200, 201, 202, 204, 206, 299])('%i is delivered', async (status) => {
    const { url } = await answering(status, status === 204 ? '' : 'thanks');
    const verdict = await sender()(message({ url }));
    expect(verdict).toEqual({ outcome: 'delivered', status, response: status === 204 ? '' : 'thanks' });
  });

  test('410 is gone', async () => {
    const { url } = await answering(410, 'bye');
    expect(await sender()(message({ url }))).toEqual({
      outcome: 'gone',
      kind: 'http_status',
      message: 'answered 410: gone for good',
      status: 410,
      response: 'bye',
    });
  });

  test.each([400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504, 599])(
    '%i has failed',
    async (status) => {
      const { url } = await answering(status, 'no');
      expect(await sender()(message({ url }))).toEqual({
        outcome: 'failed',
        kind: 'http_status',
        message: `answered ${status}`,
        status,
        response: 'no',
      });
    },
  );

  test.each([300, 301, 302, 303, 304, 307, 308])('%i has failed, and is not followed', async (status) => {
    const target = await receiver();
    const { url, received } = await answering(status, '', { location: target.url });
    expect(await sender()(message({ url }))).toMatchObject({
      outcome: 'failed',
      kind: 'http_status',
      message: `answered ${status}; redirects are not followed`,
      status,
    });
    expect(received).toHaveLength(1);
    expect(target.received).toEqual([]);
  });

  test('no answer within the timeout of the webhook has failed', async () => {
    const { url } = await receiver(() => {});
    const verdict = await sender()(message({ url, timeout: 0.05 }));
    expect(verdict).toEqual({ outcome: 'failed', kind: 'timeout', message: 'no answer within 50 ms' });
  });

  test('a broken connection has failed', async () => {
    const { url } = await receiver((response) => response.destroy());
    expect(await sender()(message({ url }))).toMatchObject({ outcome: 'failed', kind: 'reset' });
  });

  test('an attempt that is aborted ends at once', async () => {
    const { url, received } = await receiver(() => {});
    const abort = new AbortController();
    const verdict = sender()(message({ url }), abort.signal);
    await until(() => received.length === 1);
    abort.abort();
    expect(await verdict).toMatchObject({ outcome: 'failed', kind: 'timeout' });
  });

  test.each([
    ['an address', { url: 'https://user:canary@example.com/' }],
    ['a scheme', { url: 'ftp://example.com/canary' }],
    ['a header', { headers: { 'x-a': 'canary\r\nx-evil: 1' } }],
    ['a header of ours', { headers: { 'Content-Type': 'text/canary' } }],
  ])('%s that was stored before the rules: config, and nothing is sent', async (_, configs) => {
    const { url, received } = await receiver();
    const verdict = await sender()(message({ url, ...configs }));
    expect(verdict).toMatchObject({ outcome: 'failed', kind: 'config' });
    expect(JSON.stringify(verdict)).not.toMatch(/canary/);
    expect(received).toEqual([]);
  });
});

describe('Retry-After', () => {
  test.each([429, 503])('of a %i is passed on', async (status) => {
    const { url } = await answering(status, '', { 'retry-after': '120.6' });
    expect(await sender()(message({ url }))).toMatchObject({
      outcome: 'failed',
      status,
      retryAfterMs: 120_600,
    });
  });

  test('of another status, one that makes no sense, and two of them are not', async () => {
    for (const [status, header] of [
      [500, '3'],
      [429, 'abc'],
      [429, ['3', '4']],
    ] as const) {
      const { url } = await answering(status, '', { 'retry-after': header as string | string[] });
      expect(await sender()(message({ url }))).not.toHaveProperty('retryAfterMs');
    }
  });
});

describe('a request', () => {
  test('has the method and the headers of the configs, beside our own', async () => {
    const { url, received } = await receiver();
    const configs = {
      url,
      method: 'PATCH' as const,
      headers: { 'X-Api-Key': 'k', Authorization: 'Bearer t' },
    };
    const send = sender({ userAgent: 'Shop/1.0 (+https://shop.example)' });
    await send(message(configs));
    await send(message(configs));
    for (const { method, headers } of received) {
      expect(method).toBe('PATCH');
      expect(Object.keys(headers).sort()).toEqual([
        ...['authorization', 'connection', 'content-length', 'content-type', 'host', 'user-agent'],
        ...['webhook-id', 'webhook-signature', 'webhook-timestamp', 'x-api-key'],
      ]);
      expect(headers).toMatchObject({
        authorization: 'Bearer t',
        'x-api-key': 'k',
        'user-agent': 'Shop/1.0 (+https://shop.example)',
      });
    }
    expect(received).toHaveLength(2);
  });

  test('follows configs that change', async () => {
    const { url, received } = await receiver();
    const send = sender();
    await send(message({ url, headers: { 'x-version': '1' } }));
    await send(message({ url, headers: { 'x-version': '2' } }));
    expect(received.map(({ headers }) => headers['x-version'])).toEqual(['1', '2']);
  });
});

describe('an answer that repeats the request is recorded', () => {
  /** What is on record of an answer to a delivery with these configs. */
  async function recorded(configs: HttpConfigs): Promise<string | null> {
    const outbound = createOutbound({ policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } });
    onTestFinished(() => outbound.close());
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [httpChannel({ outbound })] });
    const channels = [{ channel: 'webhook', configs }];
    await dispatcher.webhooks.create({ name: 'orders', eventTypes: ['*'], channels, secret });
    await dispatcher.dispatch('order.created', {});
    await dispatcher.drain();
    const { items } = await dispatcher.deliveries.list();
    const [attempt] = await dispatcher.deliveries.attempts(items[0]!.id);
    expect(attempt).toMatchObject({ outcome: 'delivered' });
    return attempt!.response;
  }

  test('without its path, where that is long enough to hold a secret', async () => {
    const { url } = await receiver((response, { url: path }) => response.end(`no route for ${path}`));
    expect(await recorded({ url: `${url}/T0123/B4567/s3cret-path?key=s3cret` })).toBe('no route for ***');
  });

  test('without a secret that its limit cuts through', async () => {
    const { url } = await receiver((response) => response.end(`${'a'.repeat(16_384 - 20)}${secret}`));
    expect(await recorded({ url })).toBe(`${'a'.repeat(16_384 - 20)}whsec_***`);
  });

  test('without its secrets', async () => {
    const { url } = await receiver((response, { headers }) =>
      response.end(`got ${JSON.stringify(headers)}, expected ${secret}, token was s3cret-token`),
    );
    const headers = { Authorization: 'Bearer s3cret-token', 'x-key': 'another-secret', 'x-short': 'ok' };
    const response = await recorded({ url, headers });
    expect(response).toMatch(/"authorization":"(Bearer )?\*\*\*".*"x-key":"\*\*\*","x-short":"ok"/);
    expect(response).toMatch(/expected whsec_\*\*\*, token was \*\*\*$/);
    expect(response).not.toMatch(/s3cret|another|MfKQ9r8GK/);
  });
});

describe('a payload template', () => {
  const full = {
    ...event,
    namespaceId: 'ns1',
    subject: { type: 'order', id: 'o1' },
    cacheScope: '{"orders":["o1"]}',
  };

  test('makes the body from the event, and the body is what is signed', async () => {
    const { url, received } = await receiver();
    let context: TemplateContext | undefined;
    const template: PayloadTemplate = {
      check() {},
      render(document, given) {
        context = given;
        return { ...document, type: given.event_type };
      },
    };
    const configs = { url, payload_template: { text: 'hello' } };
    const verdict = await sender({ template, format: 'cloudevents' })(message(configs, { event: full }));
    expect(verdict).toMatchObject({ outcome: 'delivered' });
    expect(received[0]!.body).toBe('{"text":"hello","type":"order.created"}');
    expect(received[0]!.headers['content-type']).toBe('application/json');
    expect(context).toEqual({
      event_id: event.id,
      event_type: 'order.created',
      occurred_at: '2026-11-23T10:00:00.123Z',
      namespace_id: 'ns1',
      subject: { type: 'order', id: 'o1' },
      metadata: { b: 1, a: 1.1 },
      cache_scope: { orders: ['o1'] },
    });
  });

  test('of exactly 256 KiB is sent', async () => {
    const { url, received } = await receiver();
    const send = sender({ template: { check() {}, render: () => 'a'.repeat(262_142) } });
    expect(await send(message({ url, payload_template: {} }))).toMatchObject({ outcome: 'delivered' });
    expect(received[0]!.bytes).toHaveLength(262_144);
  });

  test('hears nothing of a cache scope the event does not have', async () => {
    const { url } = await receiver();
    let context: TemplateContext | undefined;
    const render: PayloadTemplate['render'] = (_, given) => {
      context = given;
      return {};
    };
    await sender({ template: { check() {}, render } })(message({ url, payload_template: {} }));
    expect(context).toMatchObject({ namespace_id: null, subject: null });
    expect(context).not.toHaveProperty('cache_scope');
  });

  test('is surrounded by the headers of cloudevents-binary', async () => {
    const { url, received } = await receiver();
    const send = sender({ template: { check() {}, render: () => ({ a: 1 }) }, format: 'cloudevents-binary' });
    await send(message({ url, payload_template: {} }));
    expect(received[0]).toMatchObject({ body: '{"a":1}', headers: { 'ce-id': event.id } });
  });

  const failing: [string, PayloadTemplate['render'], string][] = [
    [
      'throws',
      () => {
        throw new Error('canary');
      },
      'payload_template cannot be rendered: rendering it threw an error',
    ],
    [
      'is refused by its renderer',
      async () => {
        throw new PosthornError('invalid_payload', 'text is too long');
      },
      'payload_template cannot be rendered: text is too long',
    ],
    [
      'renders to nothing',
      () => undefined,
      'payload_template cannot be rendered: what it renders to has no JSON form',
    ],
    [
      'renders to more than 256 KiB',
      () => 'é'.repeat(131_072),
      'payload_template cannot be rendered: it renders to 262146 bytes, more than 262144',
    ],
    ['renders to no JSON', () => 1n, 'payload_template cannot be rendered: rendering it threw an error'],
  ];
  test.each(failing)('that %s has failed, and nothing is sent', async (_, render, text) => {
    const { url, received } = await receiver();
    const send = sender({ template: { check() {}, render } });
    const verdict = await send(message({ url, payload_template: {} }));
    expect(verdict).toEqual({ outcome: 'failed', kind: 'config', message: text });
    expect(received).toEqual([]);
  });

  test('without a renderer in this process has failed, and nothing is sent', async () => {
    const { url, received } = await receiver();
    expect(await sender()(message({ url, payload_template: {} }))).toMatchObject({ kind: 'config' });
    expect(received).toEqual([]);
  });
});

test.each([
  [undefined, 10_250],
  [null, 10_250],
  [0.5, 750],
  [30, 30_250],
  [60, 60_250],
])('a timeout of %s seconds gives an attempt %i ms: the client ends it a little before', (timeout, ms) => {
  expect(httpChannel().deadlineMs!({ url: 'https://example.com', timeout })).toBe(ms);
});

test('a closed client is a fault of the configuration', async () => {
  const { url } = await receiver();
  const outbound = createOutbound({ policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } });
  await outbound.close();
  expect(await sender({ outbound })(message({ url }))).toEqual({
    outcome: 'failed',
    kind: 'config',
    message: 'the client is closed',
  });
});

test('the application names the client certificate for each webhook, and a bad one fails the attempt unsent', async () => {
  const { url, received } = await answering(200);
  const asked: string[] = [];
  const send = sender({
    tls: async ({ id }) => {
      asked.push(id);
      return id === 'wh_mutual' ? { cert: 'no certificate', key: 'no key' } : undefined;
    },
  });
  const webhook = { id: 'wh_mutual', tenantId: 'default', name: 'orders' };
  expect(await send(message({ url }, { webhook }))).toMatchObject({ outcome: 'failed', kind: 'config' });
  expect(received).toEqual([]);
  expect(await send(message({ url }))).toMatchObject({ outcome: 'delivered' });
  expect(asked).toEqual(['wh_mutual', 'wh_abcdefghij']);
});

test.each([
  ['http://10.0.0.1/', 'address_forbidden'],
  ['http://localhost/', 'address_forbidden'],
  ['http://nobody.invalid/', 'dns'],
  ['ftp://example.com/', 'config'],
])('an attempt at %s fails as %s', async (url, kind) => {
  expect(await sender()(message({ url }))).toMatchObject({ outcome: 'failed', kind });
});

describe('in an engine', () => {
  test('a delivery arrives, and its attempt is on record', async () => {
    const { url, received } = await answering(200, 'thanks');
    const dispatcher = createDispatcher({
      storage: memoryStorage(),
      channels: [httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } })],
    });
    await dispatcher.webhooks.create({
      name: 'orders',
      eventTypes: ['order.*'],
      channels: [{ channel: 'webhook', configs: { url } }],
    });
    const { eventId } = await dispatcher.dispatch('order.created', { id: 'o1' });
    await dispatcher.drain();
    expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([eventId]);
    const { items } = await dispatcher.deliveries.list({ eventId });
    expect(items).toMatchObject([{ status: 'delivered', attempts: 1 }]);
  });

  test('200 and a body that never ends is delivered: the client ends it before the engine does', async () => {
    const { url } = await receiver((response) => response.writeHead(200).write('begun'));
    const dispatcher = createDispatcher({
      storage: memoryStorage(),
      channels: [httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } })],
    });
    await dispatcher.webhooks.create({
      name: 'orders',
      eventTypes: ['*'],
      channels: [{ channel: 'webhook', configs: { url, timeout: 0.1 } }],
    });
    await dispatcher.dispatch('order.created', {});
    await dispatcher.drain();
    const { items } = await dispatcher.deliveries.list();
    expect(items).toMatchObject([{ status: 'delivered', attempts: 1 }]);
  });

  test('a webhook whose configs are refused is not saved, and the field is named', async () => {
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [httpChannel()] });
    await expect(
      dispatcher.webhooks.create({
        name: 'orders',
        eventTypes: ['*'],
        channels: [{ channel: 'webhook', configs: { url: 'http://example.com', retries: 3 } }],
      }),
    ).rejects.toMatchObject({
      code: 'invalid_webhook',
      issues: expect.arrayContaining([
        {
          path: ['channels', 0, 'configs', 'url'],
          message: expect.stringMatching(/^must begin with https:/),
        },
        { path: ['channels', 0, 'configs', 'retries'], message: 'is no field of a webhook channel' },
      ]),
    });
  });
});

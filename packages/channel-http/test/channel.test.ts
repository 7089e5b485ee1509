import { createDispatcher } from '@posthorn/core';
import { createOutbound } from '@posthorn/outbound';
import { memoryStorage } from '@posthorn/storage-memory';
import { until } from '@posthorn/testing';
import { Webhook } from 'standardwebhooks';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type HttpConfigs, type HttpFormat, httpChannel } from '../src/index.js';
import { event, message, secret, sender } from './message.js';
import { type Received, receiver } from './receiver.js';

/** Answers every request the same way. */
const answering = (status: number, body = '', headers: Record<string, string | string[]> = {}) =>
  receiver((response) => response.writeHead(status, headers).end(body));

describe('the verdict', () => {
  test.each([200, 201, 202, 204, 206, 299])('of %i is delivered', async (status) => {
    const { url } = await answering(status, status === 204 ? '' : 'thanks');
    const verdict = await sender()(message({ url }));
    expect(verdict).toEqual({ outcome: 'delivered', status, response: status === 204 ? '' : 'thanks' });
  });

  test('of 410 is gone', async () => {
    const { url } = await answering(410, 'bye');
    expect(await sender()(message({ url }))).toEqual({
      outcome: 'gone',
      kind: 'http_status',
      message: 'answered 410: gone permanently',
      status: 410,
      response: 'bye',
    });
  });

  test.each([400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504, 599])(
    'of %i is failed',
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

  test.each([300, 301, 302, 303, 304, 307, 308])(
    'of %i is failed, and the redirect is not followed',
    async (status) => {
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
    },
  );

  test('of no response within the timeout of the webhook is failed', async () => {
    const { url } = await receiver(() => {});
    const verdict = await sender()(message({ url, timeout: 0.05 }));
    expect(verdict).toEqual({ outcome: 'failed', kind: 'timeout', message: 'no answer within 50 ms' });
  });

  test('of a broken connection is failed', async () => {
    const { url } = await receiver((response) => response.destroy());
    expect(await sender()(message({ url }))).toMatchObject({ outcome: 'failed', kind: 'reset' });
  });

  test('of an aborted attempt comes at once', async () => {
    const { url, received } = await receiver(() => {});
    const abort = new AbortController();
    const verdict = sender()(message({ url }), abort.signal);
    await until(() => received.length === 1);
    abort.abort();
    expect(await verdict).toMatchObject({ outcome: 'failed', kind: 'timeout' });
  });

  test.each([
    ['a URL with credentials', { url: 'https://user:canary@example.com/' }],
    ['a URL with another scheme', { url: 'ftp://example.com/canary' }],
    ['a header with a line break', { headers: { 'x-a': 'canary\r\nx-evil: 1' } }],
    ['a header that the channel sets', { headers: { 'Content-Type': 'text/canary' } }],
  ])(
    'of %s that was stored before the current rules is failed as config, and nothing is sent',
    async (_, configs) => {
      const { url, received } = await receiver();
      const verdict = await sender()(message({ url, ...configs }));
      expect(verdict).toMatchObject({ outcome: 'failed', kind: 'config' });
      expect(JSON.stringify(verdict)).not.toMatch(/canary/);
      expect(received).toEqual([]);
    },
  );
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

  test('of another status, an invalid one, and a repeated one are not', async () => {
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
  test("has the method and the headers of the configs, besides the channel's own", async () => {
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

  test('follows changed configs', async () => {
    const { url, received } = await receiver();
    const send = sender();
    await send(message({ url, headers: { 'x-version': '1' } }));
    await send(message({ url, headers: { 'x-version': '2' } }));
    expect(received.map(({ headers }) => headers['x-version'])).toEqual(['1', '2']);
  });
});

describe('a response that repeats the request is recorded', () => {
  /** Returns the recorded response to a delivery with these configs. */
  async function recorded(configs: HttpConfigs): Promise<string | null> {
    const outbound = createOutbound({ policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } });
    onTestFinished(() => outbound.close());
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [httpChannel({ outbound })] });
    const channels = [{ channel: 'webhook', configs }] as const;
    await dispatcher.webhooks.create({ name: 'orders', eventTypes: ['*'], channels, secret });
    await dispatcher.dispatch('order.created', {});
    await dispatcher.drain();
    const { items } = await dispatcher.deliveries.list();
    const [attempt] = await dispatcher.deliveries.attempts(items[0]!.id);
    expect(attempt).toMatchObject({ outcome: 'delivered' });
    return attempt!.response;
  }

  test('without the path, if that is long enough to hold a secret', async () => {
    const { url } = await receiver((response, { url: path }) => response.end(`no route for ${path}`));
    expect(await recorded({ url: `${url}/T0123/B4567/s3cret-path?key=s3cret` })).toBe('no route for ***');
  });

  test('without a secret that the limit cuts through', async () => {
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

  test('builds the body from the event, and that body is signed', async () => {
    const { url, received } = await receiver();
    const payload_template = {
      text: 'hello from {{ webhook.name }}, try {{ delivery.attempt }}',
      type: '{{ event_type }}',
      old: '{event_type} of {metadata.b}',
      data: '{{ metadata }}',
      price: '{{ metadata.a }}',
      scope: '{{ cache_scope.orders }}',
      nothing: '{{ metadata.missing }}',
      fixed: [1, true, null],
    };
    const configs = { url, payload_template };
    const verdict = await sender({ format: 'cloudevents' })(message(configs, { event: full }));
    expect(verdict).toMatchObject({ outcome: 'delivered' });
    const [{ body, headers }] = received as [(typeof received)[0]];
    expect(JSON.parse(body)).toEqual({
      text: 'hello from orders, try 1',
      type: 'order.created',
      old: 'order.created of 1',
      data: { b: 1, a: 1.1 },
      price: 1.1,
      scope: ['o1'],
      nothing: '',
      fixed: [1, true, null],
    });
    expect(headers['content-type']).toBe('application/json');
    expect(() => new Webhook(secret).verify(body, headers)).not.toThrow();
  });

  const text = (length: number) => ({
    event: { ...event, payload: JSON.stringify({ text: 'a'.repeat(length) }) },
  });

  test('that renders to exactly 256 KiB is sent', async () => {
    const { url, received } = await receiver();
    const configs = { url, payload_template: { a: '{{ metadata.text }}' } };
    expect(await sender()(message(configs, text(262_136)))).toMatchObject({ outcome: 'delivered' });
    expect(received[0]!.bytes).toHaveLength(262_144);
  });

  test('is sent with the headers of cloudevents-binary', async () => {
    const { url, received } = await receiver();
    const send = sender({ format: 'cloudevents-binary' });
    await send(message({ url, payload_template: { a: 1 } }));
    expect(received[0]).toMatchObject({ body: '{"a":1}', headers: { 'ce-id': event.id } });
  });

  test.each<[string, Record<string, unknown>, string]>([
    [
      'makes a byte more than 256 KiB',
      { ab: '{{ metadata.text }}' },
      'payload_template cannot be rendered: it renders to 262145 bytes, more than 262144',
    ],
    [
      'makes much more than that',
      { list: ['{{ metadata.text }}', 'x{{ metadata.text }}'] },
      'payload_template cannot be rendered: list.1: line 1, column 1: renders to more than 256 KiB',
    ],
    [
      'takes too long',
      { a: '{% for i in (1..99999) %}{% for j in (1..999) %}{% endfor %}{% endfor %}' },
      'payload_template cannot be rendered: a: line 1, column 26: takes longer than 100 ms',
    ],
    ['was stored and is invalid', { a: '{{ b' }, 'a: line 1, column 1: {{ is not closed'],
  ])('that %s fails the attempt, and nothing is sent', async (_, payload_template, reason) => {
    const { url, received } = await receiver();
    const verdict = await sender()(message({ url, payload_template }, text(262_136)));
    expect(verdict).toEqual({ outcome: 'failed', kind: 'config', message: reason });
    expect(received).toEqual([]);
  });
});

describe('a preview', () => {
  const configs = { url: 'https://example.com/canary-path', headers: { authorization: 'Bearer canary' } };
  const formats: HttpFormat[] = ['default', 'standard-webhooks', 'cloudevents', 'cloudevents-binary'];

  test.each(formats)('is the body that would be sent as %s, and needs no signing secret', async (format) => {
    const { url, received } = await receiver();
    const send = sender({ format });
    const preview = (of: Parameters<typeof message>[1]) =>
      httpChannel({ format }).preview!(message(configs, of));
    for (const of of [{}, { digest: [{ event, payload: {} }] }]) {
      await send(message({ url }, of));
      const { body, headers } = received.at(-1)!;
      const parts = await preview({ ...of, secrets: [] });
      expect(parts).toEqual([{ name: 'body', type: headers['content-type'], text: body }]);
      expect(JSON.stringify(parts)).not.toContain('canary');
    }
  });

  test('is rendered by the payload template, and fails if that cannot be rendered', async () => {
    const preview = (payload_template: Record<string, unknown>) =>
      httpChannel().preview!(message({ ...configs, payload_template }, { secrets: [] }));
    expect(await preview({ type: '{{ event_type }}' })).toEqual([
      { name: 'body', type: 'application/json', text: '{"type":"order.created"}' },
    ]);
    await expect(preview({ a: '{{ metadata | base64_decode }}' })).rejects.toMatchObject({
      code: 'invalid_template',
      message: 'payload_template cannot be rendered: a: line 1, column 1: cannot be rendered',
    });
  });
});

describe('a digest', () => {
  const second = {
    ...event,
    id: 'evt_0TvKq1aBcDeFgHiJkLmNoQ',
    type: 'order.paid',
    payload: '{"b":2,"a":2.20}',
  };
  const digest = [event, second].map((one) => ({ event: one, payload: JSON.parse(one.payload) }));
  const deliveryId = 'dig_0TvKq1aBcDeFgHiJkLmNoPbindingOne';

  test.each<[HttpFormat, HttpFormat, string]>([
    ['default', 'default', 'application/json'],
    ['standard-webhooks', 'standard-webhooks', 'application/json'],
    ['cloudevents', 'cloudevents', 'application/cloudevents-batch+json'],
    ['cloudevents-binary', 'cloudevents', 'application/cloudevents-batch+json'],
  ])('as %s is an array of the bodies that its events have as %s', async (format, single, type) => {
    const { url, received } = await receiver();
    for (const one of [event, second]) await sender({ format: single })(message({ url }, { event: one }));
    expect(await sender({ format })(message({ url }, { digest, deliveryId }))).toMatchObject({
      outcome: 'delivered',
    });
    const [first, other, { body, headers }] = received as [Received, Received, Received];
    expect(body).toBe(`[${first.body},${other.body}]`);
    expect(headers['content-type']).toBe(type);
    expect(headers['webhook-id']).toBe(deliveryId);
    expect(Object.keys(headers).filter((name) => name.startsWith('ce-'))).toEqual([]);
    expect(() => new Webhook(secret).verify(body, headers)).not.toThrow();
  });

  test('of one event is an array too', async () => {
    const { url, received } = await receiver();
    await sender()(message({ url }, { digest: digest.slice(0, 1), deliveryId }));
    expect(JSON.parse(received[0]!.body)).toMatchObject([{ event_id: event.id }]);
    expect(received[0]!.headers['webhook-id']).toBe(deliveryId);
  });

  test('of a single event has the id of the event', async () => {
    const { url, received } = await receiver();
    await sender()(message({ url }));
    await sender()(message({ url }, { digest: digest.slice(0, 1) }));
    expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([event.id, event.id]);
  });

  test('with a payload template is rendered once, with all events', async () => {
    const { url, received } = await receiver();
    const payload_template = {
      types: '{% for event in events %}{{ event.type }} {{ event.payload.b }};{% endfor %}',
      events: '{{ events | map: "id" }}',
      first: '{{ event_type }}',
    };
    const configs = { url, payload_template };
    await sender({ format: 'cloudevents-binary' })(message(configs, { digest, deliveryId }));
    expect(JSON.parse(received[0]!.body)).toEqual({
      types: 'order.created 1;order.paid 2;',
      events: [event.id, second.id],
      first: 'order.created',
    });
    expect(received[0]!.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': deliveryId,
    });
    expect(received[0]!.headers).not.toHaveProperty('ce-id');
  });

  test('is supported by the channel', () => {
    expect(httpChannel().supportsDigests).toBe(true);
  });
});

test.each([
  [undefined, 10_250],
  [null, 10_250],
  [0.5, 750],
  [30, 30_250],
  [60, 60_250],
])(
  'a timeout of %s seconds gives an attempt a deadline of %i ms, a little after the timeout of the client',
  (timeout, ms) => {
    expect(httpChannel().deadlineMs!({ url: 'https://example.com', timeout })).toBe(ms);
  },
);

test('a closed client fails the attempt as config', async () => {
  const { url } = await receiver();
  const outbound = createOutbound({ policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } });
  await outbound.close();
  expect(await sender({ outbound })(message({ url }))).toEqual({
    outcome: 'failed',
    kind: 'config',
    message: 'the client is closed',
  });
});

test('the application provides the client certificate of each webhook, and an invalid one fails the attempt unsent', async () => {
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
  ['http://missing.invalid/', 'dns'],
  ['ftp://example.com/', 'config'],
])('an attempt at %s fails as %s', async (url, kind) => {
  expect(await sender()(message({ url }))).toMatchObject({ outcome: 'failed', kind });
});

describe('in an engine', () => {
  test('a delivery arrives and its attempt is recorded', async () => {
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

  test('200 with a body that never ends is delivered, since the client ends it before the engine does', async () => {
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

  const local = () =>
    createDispatcher({
      storage: memoryStorage(),
      channels: [httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } })],
    });

  test('a payload template needs no option, is refused with path, line and column, and can be previewed', async () => {
    const { url, received } = await receiver();
    const { webhooks } = local();
    const withTemplate = (payload_template: Record<string, unknown>) =>
      webhooks.create({
        name: 'orders',
        eventTypes: ['*'],
        channels: [
          { channel: 'webhook', configs: { url, headers: { 'x-key': 'canary-key' }, payload_template } },
        ],
      });
    await expect(withTemplate({ a: { b: '\n{{ event_type' } })).rejects.toMatchObject({
      code: 'invalid_webhook',
      issues: [
        {
          path: ['channels', 0, 'configs', 'payload_template', 'a', 'b'],
          message: 'line 2, column 1: {{ is not closed',
        },
      ],
    });
    const { id } = await withTemplate({
      text: '{{ event_type }} {{ metadata.text }}',
      by: '{{ webhook.name }}',
    });
    expect(await webhooks.preview(id, { payload: { text: 'canary-key' } })).toMatchObject([
      {
        parts: [
          { name: 'body', type: 'application/json', text: '{"text":"webhook.test ***","by":"orders"}' },
        ],
        reason: null,
      },
    ]);
    expect(received).toEqual([]);
  });

  test('a binding with digests gets one request for several events', async () => {
    const { url, received } = await receiver();
    const dispatcher = local();
    await dispatcher.webhooks.create({
      name: 'orders',
      eventTypes: ['*'],
      channels: [{ channel: 'webhook', configs: { url }, digest: { window: '1h', maxEvents: 3 } }],
    });
    const ids: string[] = [];
    for (const n of [1, 2, 3]) ids.push((await dispatcher.dispatch('order.created', { n })).eventId);
    await dispatcher.drain();
    expect(received).toHaveLength(1);
    const bodies = JSON.parse(received[0]!.body) as { event_id: string }[];
    expect(bodies.map(({ event_id }) => event_id)).toEqual(ids);
    const { items } = await dispatcher.deliveries.list();
    expect(received[0]!.headers['webhook-id']).toMatch(/^dig_/);
    // Replayed, each event is an array of its own and does not drop another as a duplicate.
    for (const { id } of items) await dispatcher.deliveries.retry(id);
    await dispatcher.drain();
    const again = received.slice(1).map(({ body }) => JSON.parse(body) as { event_id: string }[]);
    expect(again.map((bodies) => bodies.map(({ event_id }) => event_id)).sort()).toEqual(
      ids.map((id) => [id]).sort(),
    );
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(4);
  });

  test.each([
    ['fits by default into a receiver that accepts 1 MB', {}, 0],
    ['that is too large for its receiver is split until it fits', { maxBytes: 16_777_216 }, 1],
  ])('a digest %s, and nothing is lost', async (_, limit, refusals) => {
    const statuses: number[] = [];
    const { url, received } = await receiver((response) => {
      statuses.push(received.at(-1)!.bytes.length > 1_000_000 ? 413 : 204);
      response.writeHead(statuses.at(-1)!).end();
    });
    const dispatcher = local();
    await dispatcher.webhooks.create({
      name: 'orders',
      eventTypes: ['*'],
      channels: [
        { channel: 'webhook', configs: { url }, digest: { window: '1h', maxEvents: 100, ...limit } },
      ],
    });
    const text = 'x'.repeat(15_000);
    const ids: string[] = [];
    for (let n = 0; n < 100; n++) ids.push((await dispatcher.dispatch('order.created', { n, text })).eventId);
    await dispatcher.drain();
    const taken = received.filter((_, i) => statuses[i] === 204);
    const bodies = taken.flatMap(({ body }) => JSON.parse(body) as { event_id: string }[]);
    const { items } = await dispatcher.deliveries.list({ limit: 100, status: ['delivered'] });
    // By default the last events wait for the end of their window, which never comes here.
    const gone = refusals === 0 ? ids.slice(0, items.length) : ids;
    expect(items.length).toBeGreaterThan(60);
    expect(bodies.map(({ event_id }) => event_id).sort()).toEqual([...gone].sort());
    expect(statuses.filter((status) => status === 413)).toHaveLength(refusals);
    expect(new Set(taken.map(({ headers }) => headers['webhook-id'])).size).toBe(taken.length);
  });

  test('a webhook with invalid configs is not saved, and the error names the field', async () => {
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [httpChannel()] });
    await expect(
      dispatcher.webhooks.create({
        name: 'orders',
        eventTypes: ['*'],
        // @ts-expect-error: no such field
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

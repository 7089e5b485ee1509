import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { apiOf, recorded } from '../api.js';

/** An API with a receiver that can be down. */
async function withReceiver() {
  const receiver = recordingChannel('record');
  const dispatcher = createDispatcher({
    storage: memoryStorage(),
    channels: [receiver],
    retry: { schedule: [] },
  });
  const api = await apiOf(dispatcher);
  const { webhook_id } = (await api.call('POST', '/webhooks', { body: recorded() })).body;
  async function send(metadata: unknown = 1, event_type = 'order.placed') {
    const { body } = await api.call('POST', '/events', { body: { event_type, metadata } });
    await dispatcher.drain();
    return body.event_id as string;
  }
  return { ...api, receiver, webhook_id: webhook_id as string, send };
}

const ids = ({ body }: { body: { results: { event_id: string }[] } }) =>
  body.results.map((one) => one.event_id);

describe('deliveries', () => {
  test('are listed newest first, by webhook, status, event type and time', async () => {
    const { call, receiver, send, webhook_id } = await withReceiver();
    const delivered = await send();
    receiver.failNext(1);
    const dead = await send(2, 'order.shipped');
    expect(ids(await call('GET', '/deliveries'))).toEqual([dead, delivered]);
    expect(ids(await call('GET', `/webhooks/${webhook_id}/deliveries`))).toEqual([dead, delivered]);
    expect(ids(await call('GET', '/deliveries?status=delivered'))).toEqual([delivered]);
    expect(ids(await call('GET', '/deliveries?status=delivered,dead'))).toEqual([dead, delivered]);
    expect(ids(await call('GET', '/deliveries?undelivered=true'))).toEqual([dead]);
    expect(ids(await call('GET', `/webhooks/${webhook_id}/deliveries?undelivered=1`))).toEqual([dead]);
    expect(ids(await call('GET', '/deliveries?event_type=order.shipped'))).toEqual([dead]);
    expect(ids(await call('GET', `/deliveries?event_id=${delivered}&webhook_id=${webhook_id}`))).toEqual([
      delivered,
    ]);
    expect(ids(await call('GET', '/deliveries?from=2020-01-01T00:00:00Z'))).toHaveLength(2);
    expect(ids(await call('GET', '/deliveries?to=2020-01-01T00:00:00%2B02:00'))).toEqual([]);
    expect((await call('GET', '/deliveries?from=2021-01-01T00:00:00Z&to=2020-01-01T00:00:00Z')).status).toBe(
      422,
    );
    for (const wrong of [
      'status=gone',
      'status=',
      'from=yesterday',
      'undelivered=yes',
      'undelivered=1&status=dead',
    ]) {
      expect((await call('GET', `/deliveries?${wrong}`)).status).toBe(422);
    }
    const first = await call('GET', '/deliveries?limit=1&status=dead,delivered');
    const { next_cursor } = first.body.pagination;
    expect(ids(await call('GET', `/deliveries?limit=1&status=dead,delivered&cursor=${next_cursor}`))).toEqual(
      [delivered],
    );
  });

  test('can be read with attempts, retried and cancelled', async () => {
    const { call, receiver, send, dispatcher } = await withReceiver();
    receiver.failNext(1);
    await send();
    const { delivery_id } = (await call('GET', '/deliveries')).body.results[0];
    const path = `/deliveries/${delivery_id}`;
    const { body } = await call('GET', path);
    expect(body).toMatchObject({
      status: 'dead',
      attempt_count: 1,
      next_attempt_at: null,
      finished_at: expect.any(String),
    });
    expect(body.attempts).toMatchObject([
      { number: 1, outcome: 'failed', kind: 'http_status', status_code: 500 },
    ]);
    expect((await call('POST', `${path}/cancel`)).body).toMatchObject({
      status: 409,
      error: { type: 'ConflictError' },
    });
    expect((await call('POST', `${path}/retry`, { body: {} })).body).toMatchObject({ status: 'pending' });
    expect((await call('POST', `${path}/cancel`)).body).toMatchObject({ status: 'cancelled' });
    await call('POST', `${path}/retry`);
    await dispatcher.drain();
    expect((await call('GET', path)).body).toMatchObject({ status: 'delivered', attempt_count: 2 });
    expect(receiver.deliveries).toHaveLength(1);
  });
});

describe('events', () => {
  test('are listed newest first, by type and time, in pages, and read as they were dispatched', async () => {
    const { call, send } = await withReceiver();
    const first = await send({ n: 1 });
    const second = await send({ n: 2 }, 'order.shipped');
    expect(ids(await call('GET', '/events'))).toEqual([second, first]);
    expect(ids(await call('GET', '/events?event_type=order.shipped'))).toEqual([second]);
    expect(ids(await call('GET', '/events?to=2020-01-01T00:00:00Z'))).toEqual([]);
    const { next_cursor } = (await call('GET', '/events?limit=1')).body.pagination;
    expect(ids(await call('GET', `/events?limit=1&cursor=${next_cursor}`))).toEqual([first]);
    expect((await call('GET', `/events/${second}`)).body).toEqual({
      event_id: second,
      event_type: 'order.shipped',
      occurred_at: expect.any(String),
      namespace_id: null,
      subject: null,
      metadata: { n: 2 },
    });
    expect((await call('GET', '/events/evt_0000000000000000000000')).status).toBe(404);
  });

  test('keep all their fields', async () => {
    const { call } = await withReceiver();
    const fields = {
      occurred_at: '2026-01-31T12:00:00.000Z',
      namespace_id: 'eu',
      subject: { type: 'order', id: 'o1' },
      cache_scope: { order: ['o1'] },
      ordering_key: 'order o1',
    };
    const { body } = await call('POST', '/events', {
      body: { event_type: 'order.placed', metadata: {}, ...fields },
    });
    expect((await call('GET', `/events/${body.event_id}`)).body).toMatchObject({ ...fields, metadata: {} });
    const wrong = { event_type: 'order.placed', metadata: {}, subject: { type: 'order' } };
    expect((await call('POST', '/events', { body: wrong })).body.detail[0].loc).toEqual([
      'body',
      'subject',
      'id',
    ]);
  });

  test('are explained: which webhooks matched, what happened, what comes next, and which nearly matched', async () => {
    const { call, receiver, send, webhook_id } = await withReceiver();
    const paused = (await call('POST', '/webhooks', { body: { ...recorded('Paused'), is_active: false } }))
      .body;
    const near = (await call('POST', '/webhooks', { body: recorded('Near', ['order.shipped']) })).body;
    receiver.failNext(1);
    const eventId = await send({ price: 1 });
    const { body } = await call('GET', `/events/${eventId}/explain`);
    expect(body.event).toMatchObject({ event_id: eventId, metadata: { price: 1 } });
    expect(body.matched).toMatchObject([
      {
        webhook: { webhook_id, webhook_name: 'Orders', is_active: true },
        patterns: ['order.*'],
        deliveries: [
          {
            channel: 'record',
            delivery: { status: 'dead', attempts: [{ outcome: 'failed' }] },
            next: { what: 'nothing', at: null },
          },
        ],
      },
    ]);
    expect(body.missed).toMatchObject([
      { webhook: { webhook_id: paused.webhook_id }, pattern: 'order.*', reason: 'paused' },
      {
        webhook: { webhook_id: near.webhook_id },
        pattern: 'order.shipped',
        reason: 'pattern',
        message: expect.stringContaining('segment 2'),
      },
    ]);
    expect(body.is_complete).toBe(true);
  });
});

describe('samples', () => {
  test('a test sends one to each channel, stores nothing, and returns the results', async () => {
    const { call, receiver, webhook_id, dispatcher } = await withReceiver();
    receiver.failNext(1);
    const test = (body?: object) => call('POST', `/webhooks/${webhook_id}/test`, body ? { body } : {});
    expect((await test()).body.results).toMatchObject([
      { channel: 'record', outcome: 'failed', kind: expect.any(String) },
    ]);
    expect((await test({ event_type: 'order.placed', metadata: { a: 1 } })).body.results).toMatchObject([
      { channel: 'record', outcome: 'delivered', kind: null, message: null },
    ]);
    expect(receiver.deliveries).toMatchObject([{ type: 'order.placed', payload: { a: 1 } }]);
    expect((await dispatcher.events.list({ tenantId: 'acme' })).items).toEqual([]);
    expect((await test({ event_type: 'no type' })).status).toBe(422);
    expect((await test({ typ: 'x' })).body.detail[0].loc).toEqual(['body', 'typ']);
  });

  test('A20: a test goes through the same guard as a delivery', async () => {
    const storage = memoryStorage();
    const channelOf = (policy: object) => httpChannel({ outbound: { policy } });
    const url = 'http://169.254.169.254/latest/meta-data';
    const careless = channelOf({ allowHttp: true, allowHosts: ['169.254.169.254'] });
    const { id } = await createDispatcher({ storage, channels: [careless] }).webhooks.create({
      tenantId: 'acme',
      name: 'Inside',
      eventTypes: ['*'],
      channels: [{ channel: 'webhook', configs: { url } }],
    });
    const { call } = await apiOf(createDispatcher({ storage, channels: [channelOf({ allowHttp: true })] }));
    expect((await call('POST', `/webhooks/${id}/test`)).body.results).toMatchObject([
      { outcome: 'failed', kind: 'address_forbidden', status_code: null, response: null },
    ]);
  });

  test('a preview shows what would be sent, and sends nothing', async () => {
    const { call } = await apiOf();
    const channels = [
      {
        channel: 'email',
        configs: { to_addresses: ['ada@example.com'], subject_template: '{{ event.type }}' },
      },
      {
        channel: 'sms',
        configs: { phone_numbers: ['+12025550143'], message_template: 'Hi {{ metadata.name }}' },
      },
    ];
    const { webhook_id } = (await call('POST', '/webhooks', { body: { ...recorded(), channels } })).body;
    const { body } = await call('POST', `/webhooks/${webhook_id}/preview`, {
      body: { event_type: 'order.placed', metadata: { name: 'Ada' } },
    });
    expect(JSON.stringify(body.results)).toContain('Hi Ada');
    expect(body.results).toMatchObject([
      { channel: 'email', reason: null },
      { channel: 'sms', reason: null },
    ]);
  });
});

describe('replays', () => {
  test('A23: a dry run counts; a replay runs, reports its progress, and can be cancelled', async () => {
    const { call, receiver, send, dispatcher } = await withReceiver();
    receiver.failNext(3);
    for (let i = 0; i < 3; i++) await send(i);
    const dry = await call('POST', '/replay', { body: { dry_run: true } });
    expect([dry.status, dry.body]).toEqual([200, { dry_run: true, matching: 3 }]);
    expect((await call('GET', '/deliveries?undelivered=true')).body.results).toHaveLength(3);
    const { status, body } = await call('POST', '/replay', {
      body: { event_type: 'order.placed', from: '2020-01-31T13:00:00+01:00', per_second: 10_000 },
    });
    expect([status, body.status]).toEqual([202, 'running']);
    expect(body).toMatchObject({
      filter: {
        status: ['dead'],
        event_type: 'order.placed',
        webhook_id: null,
        from: '2020-01-31T12:00:00.000Z',
        to: expect.any(String),
      },
      per_second: 10_000,
    });
    await dispatcher.drain();
    expect((await call('GET', `/replay/${body.replay_id}`)).body).toMatchObject({
      status: 'done',
      replayed: 3,
      skipped: 0,
    });
    expect(receiver.deliveries).toHaveLength(3);

    const second = (await call('POST', '/replay', { body: { status: ['delivered'], per_second: 1 } })).body;
    expect((await call('DELETE', `/replay/${second.replay_id}`)).status).toBe(204);
    expect((await call('DELETE', `/replay/${second.replay_id}`)).status).toBe(204);
    expect((await call('GET', `/replay/${second.replay_id}`)).body.status).toBe('cancelled');
    await dispatcher.drain();
    expect(receiver.deliveries).toHaveLength(3);
  });

  test('create deliveries that a webhook missed while paused, and send pending ones now', async () => {
    const { call, receiver, send, webhook_id, dispatcher } = await withReceiver();
    const tenant = { tenantId: 'acme' };
    await dispatcher.webhooks.update(webhook_id, { isActive: false }, tenant);
    for (let i = 0; i < 3; i++) await send(i);
    await dispatcher.webhooks.update(webhook_id, { isActive: true }, tenant);
    const body = { missed: true, from: '2020-01-31T12:00:00Z', webhook_id };
    const dry = await call('POST', '/replay', { body: { ...body, dry_run: true } });
    expect([dry.status, dry.body]).toEqual([200, { dry_run: true, matching: 3 }]);
    const made = await call('POST', '/replay', { body });
    expect([made.status, made.body.filter]).toMatchObject([202, { missed: true, status: [] }]);
    await dispatcher.drain();
    expect((await call('GET', `/replay/${made.body.replay_id}`)).body).toMatchObject({ replayed: 3 });
    expect(receiver.deliveries).toHaveLength(3);
    const waiting = await call('POST', '/replay', { body: { status: ['pending'] } });
    expect([waiting.status, waiting.body.filter]).toMatchObject([
      202,
      { missed: false, status: ['pending'] },
    ]);
  });

  test.each([
    [{ status: ['sending'] }, ['body', 'status', 0]],
    [{ missed: true }, ['body', 'from']],
    [{ missed: true, from: '2020-01-31T12:00:00Z', status: ['dead'] }, ['body', 'status']],
    [{ missed: 'yes' }, ['body', 'missed']],
    [{ status: [] }, ['body', 'status']],
    [{ per_second: 0 }, ['body', 'per_second']],
    [{ from: 'yesterday' }, ['body', 'from']],
    [{ webhook_id: '%' }, ['body', 'webhook_id']],
    [{ every: true }, ['body', 'every']],
  ])('refuse %j, with its place', async (body, loc) => {
    const { call } = await apiOf();
    expect((await call('POST', '/replay', { body })).body.detail).toMatchObject([{ loc }]);
  });
});

describe('statistics and health', () => {
  test('deliveries are counted by status, over time', async () => {
    const { call, receiver, send, webhook_id } = await withReceiver();
    receiver.failNext(1);
    await send(1);
    await send(2);
    const { body } = await call('GET', '/stats?buckets=4');
    expect(body.total).toEqual({ pending: 0, sending: 0, delivered: 1, dead: 1, cancelled: 0 });
    expect(body.buckets).toHaveLength(4);
    expect(body.buckets.at(-1).counts).toEqual(body.total);
    expect(body.buckets[0].from).toBe(body.from);
    expect(
      (await call('GET', `/stats?webhook_id=${webhook_id}&event_type=order.nothing`)).body.total.dead,
    ).toBe(0);
    for (const wrong of ['buckets=0', 'buckets=501', 'from=1', 'webhook_id=x']) {
      expect((await call('GET', `/stats?${wrong}`)).status).toBe(422);
    }
  });

  test('health needs no credentials, and is a 503 while the storage does not answer', async () => {
    const storage = memoryStorage();
    let isDown = false;
    const log = {
      ...storage.log,
      events: (...asked: Parameters<typeof storage.log.events>) =>
        isDown ? Promise.reject(new Error('down')) : storage.log.events(...asked),
    };
    const up = await apiOf(createDispatcher({ storage: { ...storage, log }, channels: [] }));
    expect(await up.call('GET', '/health', { key: null })).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    });
    isDown = true;
    const down = await apiOf(createDispatcher({ storage: { ...storage, log }, channels: [] }));
    const { status, text } = await down.call('GET', '/health', { key: null });
    expect(status).toBe(503);
    expect(text).not.toContain('down');
  });
});

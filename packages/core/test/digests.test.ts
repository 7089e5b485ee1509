import { createDispatcher, type Lifecycle } from '@posthorn/core';
import { delivered, failed, rejected } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';

/** A webhook that gathers the events of ten minutes in one message. */
async function everyTenMinutes(maxEvents = 100) {
  const email = recordingChannel('email');
  const posthorn = testDispatcher({ channels: [email], retry: { schedule: ['1m', '1h'], jitter: 0 } });
  const webhook = await posthorn.webhooks.create({
    name: 'summary',
    eventTypes: ['*'],
    channels: [{ channel: 'email', configs: {}, digest: { window: '10m', maxEvents } }],
  });
  const payloads = () => email.deliveries.map(({ message }) => message.digest?.map(({ payload }) => payload));
  return { posthorn, email, webhook, payloads };
}

describe('a channel with digests', () => {
  test('gets the events of a window as one message, at its end', async () => {
    const { posthorn, email, payloads } = await everyTenMinutes();
    await posthorn.dispatch('order.created', 1);
    await posthorn.advance('6m');
    await posthorn.dispatch('order.created', 2);
    await posthorn.advance('3m');
    expect(email.attempts).toHaveLength(0);
    await posthorn.advance('1m');
    expect(payloads()).toEqual([[1, 2]]);
    const { message } = email.deliveries[0]!;
    expect([message.event.id, message.payload]).toEqual([message.digest![0]!.event.id, 1]);
    await posthorn.dispatch('order.created', 3);
    await posthorn.advance('10m');
    expect(payloads()).toEqual([[1, 2], [3]]);
  });

  test('gets a digest before its window ends, once it is full', async () => {
    const { posthorn, payloads } = await everyTenMinutes(2);
    for (const payload of [1, 2, 3]) await posthorn.dispatch('order.created', payload);
    await posthorn.advance(0);
    expect(payloads()).toEqual([[1, 2]]);
    await posthorn.advance('10m');
    expect(payloads()).toEqual([[1, 2], [3]]);
  });

  test('gets the same events again after a failure', async () => {
    const { posthorn, email, payloads } = await everyTenMinutes();
    email.failNext(1);
    await posthorn.dispatch('order.created', 1);
    await posthorn.advance('10m');
    await posthorn.dispatch('order.created', 2);
    await posthorn.advance('1m');
    expect(payloads()).toEqual([[1]]);
    expect(email.attempts.map(({ message }) => message.deliveryId)).toEqual(
      Array(2).fill(email.attempts[0]!.message.deliveryId),
    );
  });

  test.each([
    ['failing', 2, 1],
    ['dying', 4, 61],
  ])(
    'also gathers events that it gets because another channel failed, %s',
    async (_, failedAttempts, afterMinutes) => {
      const slack = recordingChannel('slack');
      const email = recordingChannel('email');
      const posthorn = testDispatcher({
        channels: [slack, email],
        retry: { schedule: ['1m', '1h'], jitter: 0 },
      });
      await posthorn.webhooks.create({
        name: 'summary',
        eventTypes: ['*'],
        channels: [
          { channel: 'slack', configs: {} },
          {
            channel: 'email',
            configs: {},
            onlyAfter: { channel: 'slack', failedAttempts },
            digest: { window: '10m' },
          },
        ],
      });
      slack.failNext(100);
      const begin = posthorn.clock.now();
      await posthorn.dispatch('order.created', 1);
      await posthorn.advance('1d');
      const sentAfter = email.deliveries.map(({ message }) => message.startedAt.getTime() - begin);
      expect(sentAfter).toEqual([(afterMinutes + 10) * 60_000]);
    },
  );

  test('gets the digest without its first delivery when that one is cancelled, with the same id and checkpoint', async () => {
    const { posthorn, email, payloads } = await everyTenMinutes();
    email.failNext(1, failed('http_status', 'later', { checkpoint: 'm' }));
    for (const payload of [1, 2, 3]) await posthorn.dispatch('order.created', payload);
    await posthorn.advance('10m');
    const { items } = await posthorn.deliveries.list();
    await posthorn.deliveries.cancel(items.at(-1)!.id);
    await posthorn.advance('1m');
    expect(payloads()).toEqual([[2, 3]]);
    const [before, after] = email.attempts.map(({ message }) => message);
    expect([after!.deliveryId, after!.checkpoint, after!.payload]).toEqual([before!.deliveryId, 'm', 2]);
  });

  test('gets a manually retried delivery as a digest of its own', async () => {
    const { posthorn, email, payloads } = await everyTenMinutes();
    for (const payload of [1, 2]) await posthorn.dispatch('order.created', payload);
    await posthorn.advance('10m');
    const { items } = await posthorn.deliveries.list();
    for (const { id } of items) await posthorn.deliveries.retry(id);
    await posthorn.advance(0);
    expect(payloads()).toEqual([[1, 2], [2], [1]]);
    const names = email.deliveries.map(({ message }) => message.deliveryId);
    expect(names).toEqual([expect.stringMatching(/^dig_/), ...items.map(({ id }) => id)]);
  });

  test('gets a test event as a digest', async () => {
    const { posthorn, webhook, payloads } = await everyTenMinutes();
    await posthorn.webhooks.test(webhook.id, { payload: 1 });
    expect(payloads()).toEqual([[1]]);
  });

  test('gets at most half a mebibyte of payload in one digest by default', async () => {
    const { posthorn, email, payloads } = await everyTenMinutes();
    const text = 'x'.repeat(200_000);
    for (let n = 0; n < 5; n++) await posthorn.dispatch('order.created', { n, text });
    await posthorn.advance('10m');
    expect(payloads().map((digest) => digest!.map((one) => (one as { n: number }).n))).toEqual([
      [0, 1],
      [2, 3],
      [4],
    ]);
    expect(email.attempts).toHaveLength(3);
  });

  test.each([
    ['413 of an HTTP receiver', failed('http_status', 'answered 413', { status: 413 })],
    ['a permanent 413', rejected('http_status', 'answered 413', { status: 413 })],
    ['552 of a mail server', rejected('http_status', 'too large', { status: 552 })],
  ])('gets a digest that is too large again in halves: %s', async (_, refusal) => {
    const { posthorn, email, payloads } = await everyTenMinutes();
    email.answerWith(({ digest = [] }) => {
      const sizes = digest.map(({ event }) => event.payload.length);
      return sizes.reduce((sum, size) => sum + size, 0) > 10 ? refusal : delivered();
    });
    const told = { failed: 0, dead: 0 };
    posthorn.on('delivery:failed', ({ retryInMs }) => {
      expect(retryInMs).toBe(0);
      told.failed++;
    });
    posthorn.on('delivery:dead', () => void told.dead++);
    for (const payload of [1_111, 2_222, 3_333, 111_111_111_111, 5_555]) {
      await posthorn.dispatch('order.created', payload);
    }
    await posthorn.advance('10m');
    expect(payloads().flat().sort()).toEqual([1_111, 2_222, 3_333, 5_555]);
    const { items } = await posthorn.deliveries.list();
    const [, large, ...others] = items;
    expect(large).toMatchObject({ status: 'dead', eventId: expect.stringMatching(/^evt_/) });
    expect([items[0]!, ...others].map(({ status }) => status)).toEqual(Array(4).fill('delivered'));
    expect(told).toEqual({ failed: 5 + 3 + 2, dead: 1 });
    const tried = await posthorn.deliveries.attempts(large!.id);
    expect(tried.map(({ number, status }) => [number, status])).toEqual(
      tried.map((_, i) => [i + 1, refusal.status]),
    );
  });

  test('gets halves without an announced failure', async () => {
    const email = recordingChannel('email');
    const slack = recordingChannel('slack');
    const posthorn = testDispatcher({ channels: [email, slack], retry: { schedule: [], jitter: 0 } });
    await posthorn.webhooks.create({
      name: 'summary',
      eventTypes: ['*'],
      channels: [
        { channel: 'email', configs: {}, digest: { window: '10m' } },
        { channel: 'slack', configs: {}, onlyAfter: { channel: 'email', failedAttempts: 1 } },
      ],
    });
    email.answerWith(({ digest = [] }) =>
      digest.length > 1 ? failed('http_status', 'answered 413', { status: 413 }) : delivered(),
    );
    for (let n = 0; n < 20; n++) await posthorn.dispatch('order.created', n);
    await posthorn.advance('10m');
    // It is split five times, without a retry after a failure.
    expect(email.deliveries).toHaveLength(20);
    expect(slack.attempts).toHaveLength(0);
  });

  test.each([
    ['any other status', 414],
    ['552 for a recipient, whose mailbox is full', 552],
  ])('gets the whole digest again after any other failure: %s', async (_, status) => {
    const { posthorn, email, payloads } = await everyTenMinutes();
    email.failNext(1, failed('http_status', `answered ${status}`, { status }));
    for (const payload of [1, 2]) await posthorn.dispatch('order.created', payload);
    await posthorn.advance('11m');
    expect(email.attempts).toHaveLength(2);
    expect(payloads()).toEqual([[1, 2]]);
  });

  test('has each delivery of a digest announced', async () => {
    const { posthorn } = await everyTenMinutes();
    const told: Parameters<Lifecycle['delivery:delivered']>[0][] = [];
    posthorn.on('delivery:delivered', (facts) => void told.push(facts));
    await posthorn.dispatch('order.created', 1);
    await posthorn.dispatch('order.shipped', 2);
    await posthorn.advance('10m');
    const { items } = await posthorn.deliveries.list();
    expect(told.map(({ eventType }) => eventType)).toEqual(['order.created', 'order.shipped']);
    expect(new Set(told.map(({ deliveryId }) => deliveryId))).toEqual(new Set(items.map(({ id }) => id)));
    for (const { deliveryId, attempt } of told) {
      expect(await posthorn.deliveries.attempts(deliveryId)).toEqual([attempt]);
    }
  });

  test('keeps its webhook unchanged when that is saved as it was read', async () => {
    const { posthorn, webhook } = await everyTenMinutes();
    const [binding] = webhook.channels;
    expect(binding!.digest).toEqual({ window: 600_000, maxEvents: 100 });
    const saved = await posthorn.webhooks.update(webhook.id, { channels: [...webhook.channels] });
    expect(saved).toEqual(webhook);
  });
});

describe('a webhook with a digest is refused', () => {
  const email = recordingChannel('email');
  const create = (digest: unknown, channel = email, storage = memoryStorage()) =>
    createDispatcher({ storage, channels: [channel] }).webhooks.create({
      name: 'w',
      eventTypes: ['*'],
      channels: [{ channel: 'email', configs: {}, digest: digest as { window: '10m' } }],
    });

  test.each([
    { window: '0s' },
    { window: '8d' },
    { window: 'soon' },
    { window: null },
    { window: '10m', maxEvents: 1 },
    { window: '10m', maxEvents: 1_001 },
    { window: '10m', maxBytes: 1_023 },
    { window: '10m', maxBytes: 16_777_217 },
    { window: '10m', maxBytes: '1MB' },
    { window: '10m', size: 3 },
    {},
  ])('if its limits are wrong: %j', async (digest) => {
    await expect(create(digest)).rejects.toMatchObject({
      code: 'invalid_webhook',
      issues: [{ path: expect.arrayContaining(['digest']) }],
    });
  });

  test('if its channel does not support digests', async () => {
    const { supportsDigests, ...single } = email;
    await expect(create({ window: '10m' }, single as typeof email)).rejects.toThrow(/does not write digests/);
  });

  test('if the storage does not support digests', async () => {
    const storage = { ...memoryStorage(), supports: { documents: true, replays: true } };
    await expect(create({ window: '10m' }, email, storage)).rejects.toThrow(/does not gather digests/);
  });
});

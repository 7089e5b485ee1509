import { createDispatcher, type StorageAdapter } from '@posthorn/core';
import type { NewEvent } from '@posthorn/core/storage';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher, until } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';

const toAll = { name: 'all', eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] };

async function application(eventTypes: string[] = ['*']) {
  const channel = recordingChannel();
  const dispatcher = testDispatcher({ channels: [channel] });
  await dispatcher.webhooks.create({ ...toAll, eventTypes });
  return { channel, dispatcher };
}

describe('dispatch', () => {
  test('reaches every channel of every webhook that matches, and no other', async () => {
    const { dispatcher, channel } = await application(['object.*', 'object.created', '*']);
    await dispatcher.webhooks.create({
      ...toAll,
      eventTypes: ['*.created'],
      channels: [
        { channel: 'webhook', configs: { n: 1 } },
        { channel: 'webhook', configs: { n: 2 } },
      ],
    });
    await dispatcher.webhooks.create({ ...toAll, eventTypes: ['object.deleted'] });
    await dispatcher.webhooks.create({ ...toAll, isActive: false });
    await dispatcher.webhooks.create({ ...toAll, tenantId: 'other' });
    expect(await dispatcher.dispatch('object.created', {})).toMatchObject({ deliveries: 3 });
    await dispatcher.drain();
    expect(channel.deliveries).toHaveLength(3);
    expect(channel.deliveries.map(({ message }) => message.configs)).toEqual(
      expect.arrayContaining([{}, { n: 1 }, { n: 2 }]),
    );
  });

  test('passes every field of the event to the channel', async () => {
    const { dispatcher, channel } = await application();
    const occurredAt = new Date('2025-05-05T05:05:05.005Z');
    const { eventId } = await dispatcher.dispatch(
      'object.created',
      { n: 1 },
      { occurredAt, namespaceId: 'ns', subject: { type: 'object', id: 'o1' }, cacheScope: { keys: ['a'] } },
    );
    await dispatcher.drain();
    expect(channel.deliveries[0]?.message.event).toEqual({
      id: eventId,
      tenantId: 'default',
      type: 'object.created',
      payload: '{"n":1}',
      occurredAt,
      namespaceId: 'ns',
      subject: { type: 'object', id: 'o1' },
      cacheScope: '{"keys":["a"]}',
      orderingKey: null,
    });
  });

  test('stores an event that no webhook matches', async () => {
    const { dispatcher } = await application(['other']);
    const { eventId, deliveries } = await dispatcher.dispatch('object.created', 1);
    expect(deliveries).toBe(0);
    expect(await dispatcher.events.get(eventId)).toMatchObject({ type: 'object.created', payload: '1' });
  });

  test.each<[string, Record<string, unknown>]>([
    ['an option that does not exist', { idempotencykey: 'k' }],
    ['an empty key', { idempotencyKey: '' }],
    ['a key of 256 characters', { idempotencyKey: 'k'.repeat(256) }],
    ['a key with control characters', { idempotencyKey: 'a\nb' }],
    ['a tenant that is not a string', { tenantId: 7 }],
    ['an empty tenant', { tenantId: '' }],
    ['a time that is an invalid Date', { occurredAt: new Date(Number.NaN) }],
    ['a time in the year 275760', { occurredAt: new Date(8.64e15) }],
    ['a time before 1970', { occurredAt: new Date(-1) }],
    ['half a subject', { subject: { type: 'object' } }],
  ])('refuses %s, and stores nothing', async (_, options) => {
    const { dispatcher } = await application();
    await expect(dispatcher.dispatch('object.created', 1, options)).rejects.toMatchObject({
      code: 'invalid_option',
    });
    expect((await dispatcher.events.list()).items).toEqual([]);
  });

  test('rejects with storage_failed when the storage throws, and keeps the cause', async () => {
    const cause = new Error('disk full');
    const storage = memoryStorage();
    const failing: StorageAdapter = {
      ...storage,
      deliveries: { ...storage.deliveries, publish: () => Promise.reject(cause) },
    };
    const dispatcher = createDispatcher({ storage: failing, channels: [] });
    await expect(dispatcher.dispatch('a', 1)).rejects.toMatchObject({ code: 'storage_failed', cause });
  });
});

describe("the caller's transaction", () => {
  test('is passed to the storage with only its own events, and nothing is prefetched', async () => {
    const storage = memoryStorage();
    const calls: [number, unknown][] = [];
    const transactional: StorageAdapter<{ readonly name: string }> = {
      ...storage,
      supports: { ...storage.supports, transactions: true },
      deliveries: {
        ...storage.deliveries,
        publish(events, options = {}) {
          // A call without events asks for the time.
          if (events.length > 0) calls.push([events.length, options]);
          return storage.deliveries.publish(events);
        },
      },
    } as StorageAdapter<{ readonly name: string }>;
    const dispatcher = createDispatcher({ storage: transactional, channels: [] });
    const tx = { name: 'tx' };
    await Promise.all([
      dispatcher.dispatch('a', 1, { tx }),
      dispatcher.dispatch('a', 2, { tx }),
      dispatcher.dispatchMany([{ type: 'a', payload: 3 }], { tx }),
      dispatcher.dispatch('a', 4),
    ]);
    expect(calls.filter(([, options]) => (options as { tx?: unknown }).tx === tx)).toEqual(
      Array(3).fill([1, { tx }]),
    );
    expect(calls).toHaveLength(4);
  });
});

describe('an idempotency key', () => {
  test('fails no other event of its batch when it is refused', async () => {
    const { dispatcher } = await application();
    await dispatcher.dispatch('a', 1, { idempotencyKey: 'taken' });
    const [refused, stored] = await Promise.allSettled([
      dispatcher.dispatch('a', 2, { idempotencyKey: 'taken' }),
      dispatcher.dispatch('a', 3, { idempotencyKey: 'free' }),
    ]);
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'idempotency_conflict' } });
    expect(stored).toMatchObject({ status: 'fulfilled', value: { deliveries: 1 } });
  });

  test('returns the first result when the same event is published again', async () => {
    const { dispatcher, channel } = await application();
    const results = await Promise.all(
      Array.from({ length: 100 }, () => dispatcher.dispatch('a', { n: 1 }, { idempotencyKey: 'k' })),
    );
    await dispatcher.drain();
    results.push(await dispatcher.dispatch('a', { n: 1 }, { idempotencyKey: 'k' }));
    await dispatcher.drain();
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(channel.deliveries).toHaveLength(1);
  });

  test.each<[string, [string, unknown, object]]>([
    ['payload', ['a', { n: 2 }, {}]],
    ['type', ['b', { n: 1 }, {}]],
    ['subject', ['a', { n: 1 }, { subject: { type: 's', id: '1' } }]],
    ['namespace', ['a', { n: 1 }, { namespaceId: 'ns' }]],
    ['time', ['a', { n: 1 }, { occurredAt: new Date(0) }]],
    ['ordering key', ['a', { n: 1 }, { orderingKey: 'order 1' }]],
    ['cache scope', ['a', { n: 1 }, { cacheScope: { keys: ['a'] } }]],
  ])('with another %s is a conflict, and stores nothing', async (_, [type, payload, rest]) => {
    const { dispatcher } = await application();
    await dispatcher.dispatch('a', { n: 1 }, { idempotencyKey: 'k' });
    await expect(dispatcher.dispatch(type, payload, { idempotencyKey: 'k', ...rest })).rejects.toMatchObject({
      code: 'idempotency_conflict',
    });
    expect((await dispatcher.events.list()).items).toHaveLength(1);
  });

  test('is separate for each tenant', async () => {
    const { dispatcher } = await application();
    const first = await dispatcher.dispatch('a', 1, { idempotencyKey: 'k' });
    const second = await dispatcher.dispatch('a', 2, { idempotencyKey: 'k', tenantId: 'other' });
    expect(second.eventId).not.toBe(first.eventId);
  });

  test('is kept for a day, and can then be reused', async () => {
    const { dispatcher } = await application();
    const first = await dispatcher.dispatch('a', 1, { idempotencyKey: 'k' });
    await dispatcher.advance('24h');
    expect(await dispatcher.dispatch('a', 1, { idempotencyKey: 'k' })).toEqual(first);
    await dispatcher.advance('1s');
    expect((await dispatcher.dispatch('a', 1, { idempotencyKey: 'k' })).eventId).not.toBe(first.eventId);
  });

  test('that conflicts for one caller fails no other caller', async () => {
    const { dispatcher } = await application();
    await dispatcher.dispatch('a', 1, { idempotencyKey: 'k' });
    const [good, bad, alsoGood] = await Promise.allSettled([
      dispatcher.dispatch('a', 2),
      dispatcher.dispatch('a', 3, { idempotencyKey: 'k' }),
      dispatcher.dispatch('a', 4),
    ]);
    expect([good.status, bad.status, alsoGood.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await dispatcher.events.list()).items).toHaveLength(3);
  });
});

describe('dispatchMany', () => {
  test('stores all events in one call, and returns the results in order', async () => {
    const { dispatcher, channel } = await application(['b']);
    const results = await dispatcher.dispatchMany([
      { type: 'a', payload: 1 },
      { type: 'b', payload: 2, subject: { type: 's', id: '2' } },
    ]);
    expect(results.map(({ deliveries }) => deliveries)).toEqual([0, 1]);
    await dispatcher.drain();
    expect(channel.deliveries[0]?.message.event).toMatchObject({
      id: results[1]?.eventId,
      subject: { id: '2' },
    });
  });

  test('stores no event when one is invalid', async () => {
    const { dispatcher } = await application();
    const wrong = [
      { type: 'a', payload: 1 },
      { type: 'a b', payload: 1 },
    ];
    await expect(dispatcher.dispatchMany(wrong)).rejects.toMatchObject({ code: 'invalid_event_type' });
    await dispatcher.dispatch('a', 1, { idempotencyKey: 'k' });
    const conflicting = [
      { type: 'a', payload: 3 },
      { type: 'a', payload: 2, idempotencyKey: 'k' },
    ];
    await expect(dispatcher.dispatchMany(conflicting)).rejects.toMatchObject({
      code: 'idempotency_conflict',
    });
    expect((await dispatcher.events.list()).items).toHaveLength(1);
  });

  test('returns an empty list for an empty list', async () => {
    const { dispatcher } = await application();
    expect(await dispatcher.dispatchMany([])).toEqual([]);
  });
});

describe('coalescing', () => {
  test('lets the event loop turn between any number of sequential calls', async () => {
    const { dispatcher } = await application();
    let turns = 0;
    const turn = () => {
      turns++;
      immediate = setImmediate(turn);
    };
    let immediate = setImmediate(turn);
    for (let i = 0; i < 1_000; i++) await dispatcher.dispatch('a', i);
    clearImmediate(immediate);
    expect(turns).toBeGreaterThanOrEqual(5);
  });

  test('publishes the first call at once, and the calls that arrive meanwhile together', async () => {
    const storage = memoryStorage();
    const batches: number[] = [];
    const open: (() => void)[] = [];
    const slow: StorageAdapter = {
      ...storage,
      deliveries: {
        ...storage.deliveries,
        async publish(events: readonly NewEvent[], options) {
          batches.push(events.length);
          await new Promise<void>((resolve) => open.push(resolve));
          return storage.deliveries.publish(events, options);
        },
      },
    };
    const dispatcher = createDispatcher({ storage: slow, channels: [] });
    const first = dispatcher.dispatch('a', 0);
    await until(() => open.length === 1);
    const rest = Array.from({ length: 9 }, (_, i) => dispatcher.dispatch('a', i + 1));
    open.shift()?.();
    await until(() => open.length === 1);
    expect(batches).toEqual([1, 9]);
    open.shift()?.();
    const ids = (await Promise.all([first, ...rest])).map(({ eventId }) => eventId);
    const stored = await Promise.all(ids.map(async (id) => (await dispatcher.events.get(id)).payload));
    expect(stored).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
  });
});

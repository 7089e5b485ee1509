import { createDispatcher, type StorageAdapter } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, virtualClock } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';

/** The memory storage with other members, as JavaScript may hand it in. */
const changed = (members: object): StorageAdapter => ({ ...memoryStorage(), ...members });
const { backfill, ...queue } = memoryStorage().deliveries;
const dispatcherOn = (storage: StorageAdapter) => createDispatcher({ storage, channels: [] });

test.each<[string, object, RegExp]>([
  [
    'does not say what it supports',
    { supports: undefined },
    /^storage\.supports must be an object.*undefined/,
  ],
  ['says it in no object', { supports: true }, /^storage\.supports must be an object.*boolean/],
  [
    'supports what is unknown',
    { supports: { digest: true } },
    /^unknown capability storage\.supports\.digest: use digests/,
  ],
  [
    'supports maybe',
    { supports: { digests: 'yes' } },
    /^storage\.supports\.digests must be a boolean.*string/,
  ],
  [
    'declares documents and has none',
    { documents: undefined },
    /^storage\.documents\.get must be a function/,
  ],
  [
    'has documents by half',
    { documents: { get() {}, put() {} } },
    /^storage\.documents\.list must be a function/,
  ],
  ['has null for documents', { documents: null }, /^storage\.documents\.get must be a function/],
  [
    'declares replays and makes none',
    { deliveries: queue },
    /^storage\.deliveries\.backfill must be a function/,
  ],
  [
    'has documents and does not declare them',
    { supports: {}, deliveries: queue },
    /^storage\.documents\.get needs storage\.supports\.documents/,
  ],
  [
    'has backfill and does not declare it',
    { supports: { documents: true } },
    /^storage\.deliveries\.backfill needs storage\.supports\.replays/,
  ],
  [
    'has replays without documents',
    { supports: { replays: true } },
    /^storage\.supports\.replays needs .*documents/,
  ],
  [
    'counts by no function',
    { log: { ...memoryStorage().log, counts: 7 } },
    /^storage\.log\.counts must be a function/,
  ],
  ['is volatile maybe', { isVolatile: 1 }, /^storage\.isVolatile must be a boolean.*number/],
])('a storage that %s is refused', (_, members, message) => {
  const refused = expect.objectContaining({
    code: 'invalid_option',
    message: expect.stringMatching(message),
  });
  expect(() => dispatcherOn(changed(members))).toThrow(refused);
});

test('a transaction is refused where the storage supports none, and nothing is written', async () => {
  const dispatcher = dispatcherOn(memoryStorage());
  const options = { tx: {} as never };
  const refused = {
    code: 'invalid_option',
    message: 'tx must be left out: this storage does not support transactions',
  };
  await expect(dispatcher.dispatch('order.created', {}, options)).rejects.toMatchObject(refused);
  await expect(
    dispatcher.dispatchMany([{ type: 'order.created', payload: {} }], options),
  ).rejects.toMatchObject(refused);
  expect((await dispatcher.events.list()).items).toEqual([]);
});

test('A storage without documents delivers as ever, and keeps neither API keys nor replays', async () => {
  const { documents, ...storage } = memoryStorage();
  const channel = recordingChannel();
  const plain = { ...storage, deliveries: queue, supports: {} };
  const dispatcher = createDispatcher({ storage: plain, channels: [channel] });
  expect([dispatcher.apiKeys.areKept, dispatcher.replays.areKept]).toEqual([false, false]);
  expect(await dispatcher.prune()).toBe(0);
  await dispatcher.drain();
});

describe('The statistics of a storage', () => {
  /** The engine on a log that counts by itself, and on the same one that does not. */
  async function engines(count: number) {
    const clock = virtualClock();
    const memory = memoryStorage({ now: clock.now });
    const { counts, ...log } = memory.log;
    let pages = 0;
    const deliveries: typeof log.deliveries = (...query) => {
      pages++;
      return memory.log.deliveries(...query);
    };
    const options = { channels: [recordingChannel()], now: clock.now };
    const counting = createDispatcher({ ...options, storage: memory });
    const paging = createDispatcher({ ...options, storage: { ...memory, log: { ...log, deliveries } } });
    const toAll = { eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] };
    await counting.webhooks.create({ name: 'w', ...toAll });
    for (let i = 0; i < count; i++) {
      await counting.dispatch(i % 3 === 0 ? 'order.created' : 'order.paid', i);
      clock.advance(1_000);
      if (i === 2) await counting.drain();
    }
    return { counting, paging, pages: () => pages };
  }

  test('are the same whether it counts by itself or the engine reads page by page', async () => {
    const { counting, paging, pages } = await engines(7);
    for (const options of [{}, { eventType: 'order.paid' }, { buckets: 500 }, { buckets: 1 }]) {
      expect(await paging.deliveries.stats(options)).toEqual(await counting.deliveries.stats(options));
    }
    const { total, buckets } = await paging.deliveries.stats({ buckets: 3 });
    expect(total).toMatchObject({ delivered: 3, pending: 4 });
    expect(buckets.map(({ counts }) => counts.delivered)).toEqual([0, 0, 3]);
    expect(pages()).toBeGreaterThan(0);
    expect(await paging.replays.count({ status: ['pending', 'delivered'] })).toBe(7);
  });

  test('are read in several pages where there are thousands of deliveries', async () => {
    const { counting, paging, pages } = await engines(2_500);
    expect(await paging.deliveries.stats()).toEqual(await counting.deliveries.stats());
    expect(pages()).toBe(3);
  });
});

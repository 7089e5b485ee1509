import { createDispatcher } from '@posthorn/core';
import { recordingChannel } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { type MemoryStorageOptions, memoryStorage } from '../src/index.js';

const toAll = { name: 'all', eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] };

async function application(options: MemoryStorageOptions) {
  const channel = recordingChannel();
  const dispatcher = createDispatcher({ storage: memoryStorage(options), channels: [channel] });
  await dispatcher.webhooks.create(toAll);
  return { channel, dispatcher };
}

describe('a full storage', () => {
  const text = 'x'.repeat(1_000);

  test('rejects a dispatch and stores nothing, until deliveries have been sent', async () => {
    const { dispatcher } = await application({ maxBytes: 100_000 });
    let accepted = 0;
    await expect(
      (async () => {
        for (; accepted < 1_000; accepted++) await dispatcher.dispatch('a', text);
      })(),
    ).rejects.toMatchObject({ code: 'storage_full' });
    expect(accepted).toBeGreaterThan(40);
    expect((await dispatcher.events.list({ limit: 1000 })).items).toHaveLength(accepted);
    await dispatcher.drain();
    await dispatcher.dispatch('a', text);
    await dispatcher.drain();
    const { items } = await dispatcher.deliveries.list({ limit: 1000 });
    expect(items.every(({ status }) => status === 'delivered')).toBe(true);
  });

  test('stores none of several events where not all of them fit', async () => {
    const { dispatcher } = await application({ maxBytes: 10_000 });
    const many = Array.from({ length: 20 }, () => ({ type: 'a', payload: text }));
    await expect(dispatcher.dispatchMany(many)).rejects.toMatchObject({ code: 'storage_full' });
    expect((await dispatcher.events.list()).items).toEqual([]);
    await dispatcher.dispatch('a', text);
  });

  test('does not reject other calls because of one that does not fit', async () => {
    const { dispatcher } = await application({ maxBytes: 10_000 });
    const results = await Promise.allSettled([
      dispatcher.dispatch('a', 'small'),
      dispatcher.dispatch('a', 'x'.repeat(50_000)),
      dispatcher.dispatch('a', 'small too'),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  test('deletes finished events first, the oldest before the others, and no waiting delivery', async () => {
    const { dispatcher, channel } = await application({ maxBytes: 50_000 });
    channel.failNext(1);
    const waiting = await dispatcher.dispatch('a', text);
    await dispatcher.drain();
    const ids: string[] = [];
    for (let i = 0; i < 200; i++) {
      ids.push((await dispatcher.dispatch('a', text)).eventId);
      await dispatcher.drain();
    }
    const kept = new Set((await dispatcher.events.list({ limit: 1000 })).items.map(({ id }) => id));
    expect(kept.size).toBeLessThan(40);
    expect(kept.has(waiting.eventId)).toBe(true);
    expect(ids.slice(-5).every((id) => kept.has(id))).toBe(true);
    expect(kept.has(ids[0]!)).toBe(false);
  });

  test('a webhook with many queued deliveries does not run out of memory: the limit bounds the heap', async () => {
    const maxBytes = 20_000_000;
    const { dispatcher } = await application({ maxBytes });
    const before = process.memoryUsage().heapUsed;
    let accepted = 0;
    try {
      for (; accepted < 1_000_000; accepted++) await dispatcher.dispatch('a', { n: accepted });
    } catch (error) {
      expect(error).toMatchObject({ code: 'storage_full' });
    }
    expect(accepted).toBeGreaterThan(20_000);
    // Uncollected garbage counts here as well, so the bound is loose.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(3 * maxBytes);
  });
});

import { createDispatcher, type DispatcherOptions } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';

type Ordering = NonNullable<DispatcherOptions['ordering']>;

/**
 * Dispatches two events with one key, of which the first fails for as long as it is tried, and checks their progress
 * step by step.
 */
async function behindFailure(ordering: Ordering | undefined) {
  const channel = recordingChannel();
  const posthorn = testDispatcher({
    channels: [channel],
    retry: { schedule: ['1m', '10m', '1h', '10h'], jitter: 0 },
    ...(ordering && { ordering }),
  });
  const channels = [{ channel: channel.type, configs: {} }];
  await posthorn.webhooks.create({ name: 'w', eventTypes: ['*'], channels });
  channel.failNext(100);
  await posthorn.dispatch('order.placed', 1, { orderingKey: 'o1' });
  await posthorn.dispatch('order.shipped', 2, { orderingKey: 'o1' });
  const types = () => [...new Set(channel.attempts.map(({ message }) => message.event.type))];
  return { posthorn, types };
}

describe('behind a failed delivery with its ordering key', () => {
  test('the next one waits until a retry would take longer than an hour, and then overtakes', async () => {
    const { posthorn, types } = await behindFailure(undefined);
    await posthorn.advance('10m');
    expect(types()).toEqual(['order.placed']);
    // After retries at 1 and 10 minutes, the next wait is an hour.
    await posthorn.advance('2m');
    expect(types()).toEqual(['order.placed', 'order.shipped']);
  });

  test('the next one waits no longer than the limit', async () => {
    const { posthorn, types } = await behindFailure({ limit: '5m' });
    await posthorn.advance(0);
    expect(types()).toEqual(['order.placed']);
    await posthorn.advance('1m');
    expect(types()).toEqual(['order.placed', 'order.shipped']);
  });

  test('the next one overtakes at once where `skip` is set', async () => {
    const { posthorn, types } = await behindFailure({ behindFailure: 'skip' });
    await posthorn.advance(0);
    expect(types()).toEqual(['order.placed', 'order.shipped']);
  });

  test('a delivery with another key, or none, does not wait', async () => {
    const channel = recordingChannel();
    const posthorn = testDispatcher({ channels: [channel] });
    const channels = [{ channel: channel.type, configs: {} }];
    await posthorn.webhooks.create({ name: 'w', eventTypes: ['*'], channels });
    channel.failNext(1);
    await posthorn.dispatch('a.b', 1, { orderingKey: 'o1' });
    await posthorn.advance(0);
    await posthorn.dispatch('a.c', 2, { orderingKey: 'o2' });
    await posthorn.dispatch('a.d', 3);
    await posthorn.advance(0);
    expect(channel.deliveries.map(({ message }) => message.event.type)).toEqual(['a.c', 'a.d']);
  });
});

test('a thousand events with ten keys arrive in order, key by key', async () => {
  const channel = recordingChannel();
  const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [channel], concurrency: 50 });
  const channels = [{ channel: channel.type, configs: {} }];
  await dispatcher.webhooks.create({ name: 'w', eventTypes: ['*'], channels });
  dispatcher.start();
  for (let n = 0; n < 1_000; n++) await dispatcher.dispatch('a.b', n, { orderingKey: String(n % 10) });
  await dispatcher.drain();
  await dispatcher.stop();
  const arrived = channel.deliveries.map(({ message }) => message.payload as number);
  expect(arrived).toHaveLength(1_000);
  for (let key = 0; key < 10; key++) {
    const own = arrived.filter((n) => n % 10 === key);
    expect(own).toEqual([...own].sort((a, b) => a - b));
  }
});

describe('the ordering options', () => {
  test.each([
    [{ ordering: { behindFailure: 'drop' } }, 'behindFailure'],
    [{ ordering: { limit: 'soon' } }, 'ordering.limit'],
    [{ ordering: { wait: '1h' } }, 'wait'],
    [{ notifier: 7 }, 'notifier'],
  ])('%j are refused, and the error names the option', (options, name) => {
    expect(() => createDispatcher({ storage: memoryStorage(), channels: [], ...options } as never)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
    );
  });

  test('an ordering key is a text of 1 to 255 characters', async () => {
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [] });
    for (const orderingKey of ['', 'k'.repeat(256), 7, 'a\nb']) {
      await expect(dispatcher.dispatch('a.b', 1, { orderingKey } as never)).rejects.toMatchObject({
        code: 'invalid_option',
        message: expect.stringContaining('orderingKey'),
      });
    }
  });
});

import { createDispatcher, type Notifier } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, until } from '@posthorn/testing';
import { expect, test } from 'vitest';

/** A notifier within this process that counts its calls. */
function localNotifier() {
  const listeners = new Set<() => void>();
  const counts = { notified: 0 };
  const notifier: Notifier = {
    async notify() {
      counts.notified++;
      for (const onHint of listeners) onHint();
    },
    async listen(onHint) {
      listeners.add(onHint);
      return async () => {
        listeners.delete(onHint);
      };
    },
  };
  return { notifier, listeners, counts };
}

const toAll = (type: string) => ({
  name: 'w',
  eventTypes: ['*'],
  channels: [{ channel: type, configs: {} }],
});

test('a process that only publishes wakes a delivering process, and a burst sends few hints', async () => {
  const { notifier, listeners, counts } = localNotifier();
  const storage = memoryStorage();
  const channel = recordingChannel();
  const options = { storage, channels: [channel], notifier, pollInterval: '1h' } as const;
  const worker = createDispatcher(options);
  const publisher = createDispatcher(options);
  await publisher.webhooks.create(toAll(channel.type));
  worker.start();
  await until(() => listeners.size === 1);
  for (let n = 0; n < 200; n++) await publisher.dispatch('a.b', n);
  await until(() => channel.deliveries.length === 200);
  expect(counts.notified).toBeLessThan(20);
  await worker.stop();
  expect(listeners.size).toBe(0);
});

test('a process that has capacity for its own events sends no hint', async () => {
  const { notifier, counts } = localNotifier();
  const channel = recordingChannel();
  const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [channel], notifier });
  await dispatcher.webhooks.create(toAll(channel.type));
  dispatcher.start();
  const before = counts.notified;
  for (let n = 0; n < 50; n++) await dispatcher.dispatch('a.b', n);
  await until(() => channel.deliveries.length === 50);
  await dispatcher.stop();
  expect(counts.notified).toBe(before);
});

test('a failing notifier is reported, and no delivery is lost', async () => {
  const failing: Notifier = {
    notify: () => Promise.reject(new Error('the server is unreachable')),
    listen: () => Promise.reject(new Error('the server is unreachable')),
  };
  const channel = recordingChannel();
  const options = { storage: memoryStorage(), channels: [channel], notifier: failing };
  const errors: string[] = [];
  const dispatcher = createDispatcher(options).on('error', ({ message }) => errors.push(message));
  await dispatcher.webhooks.create(toAll(channel.type));
  await dispatcher.dispatch('a.b', 1);
  dispatcher.start();
  await until(() => channel.deliveries.length === 1);
  await dispatcher.stop();
  expect(errors).toContain('the server is unreachable');
});

test('a notifier that throws instead of rejecting is reported, and stored events stay stored', async () => {
  const throwing = {
    notify: () => {
      throw new Error('the socket is closed');
    },
    listen: () => {
      throw new Error('no listener is registered');
    },
  } as Notifier;
  const channel = recordingChannel();
  const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [channel], notifier: throwing });
  const errors: string[] = [];
  dispatcher.on('error', ({ message }) => errors.push(message));
  await dispatcher.webhooks.create(toAll(channel.type));
  await dispatcher.dispatch('a.b', 1);
  dispatcher.start();
  await until(() => channel.deliveries.length === 1);
  await dispatcher.stop();
  expect(errors).toEqual(['the socket is closed', 'no listener is registered']);
});

test.each([
  ['`listen`', { listen: () => new Promise(() => {}) }],
  ['end', { listen: async () => () => new Promise(() => {}) }],
])('a notifier that never resolves %s delays a stop by no more than its grace', async (_, parts) => {
  const notifier = { notify: async () => {}, ...parts } as unknown as Notifier;
  const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [recordingChannel()], notifier });
  dispatcher.start();
  await dispatcher.stop({ grace: 20 });
});

test('a start during a stop takes effect when the stop is over, and listens', async () => {
  const { notifier, listeners } = localNotifier();
  const channel = recordingChannel();
  const storage = memoryStorage();
  const dispatcher = createDispatcher({ storage, channels: [channel], notifier });
  const seen: string[] = [];
  dispatcher.on('worker:started', () => void seen.push('started'));
  dispatcher.on('worker:stopped', () => void seen.push('stopped'));
  await dispatcher.webhooks.create(toAll(channel.type));
  dispatcher.start();
  await until(() => listeners.size === 1);
  const stopping = dispatcher.stop();
  dispatcher.start();
  await stopping;
  expect(seen).toEqual(['started', 'stopped', 'started']);
  await until(() => listeners.size === 1);
  await dispatcher.dispatch('a.b', 1);
  await until(() => channel.deliveries.length === 1);
  const [first, second] = [dispatcher.stop(), dispatcher.stop()];
  await Promise.all([first, second]);
  expect(seen.at(-1)).toBe('stopped');
  expect(listeners.size).toBe(0);
});

import { createDispatcher, type Notifier } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, until } from '@posthorn/testing';
import { expect, test } from 'vitest';

/** A notifier within this process, which counts. */
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

test('what a process publishes that does not deliver itself wakes one that does, and a burst is a few hints', async () => {
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

test('a process that has room for its own events tells nobody', async () => {
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

test('a notifier that fails is announced, and costs no delivery', async () => {
  const failing: Notifier = {
    notify: () => Promise.reject(new Error('nobody is there')),
    listen: () => Promise.reject(new Error('nobody is there')),
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
  expect(errors).toContain('nobody is there');
});

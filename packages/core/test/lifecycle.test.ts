import { createDispatcher, type DeliveryInfo, type PosthornError, type StorageAdapter } from '@posthorn/core';
import { failed, rejected } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher, until } from '@posthorn/testing';
import { expect, expectTypeOf, test } from 'vitest';

const toAll = { name: 'all', eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] };

test('every step of a delivery is announced after it is stored', async () => {
  const channel = recordingChannel();
  const dispatcher = testDispatcher({ channels: [channel], retry: { schedule: ['1m'], jitter: 0 } });
  const seen: [string, string | undefined, string?][] = [];
  dispatcher.on('webhook:created', ({ id }) => void seen.push(['webhook:created', id]));
  dispatcher.on('webhook:updated', ({ name }) => void seen.push(['webhook:updated', name]));
  dispatcher.on('webhook:deleted', ({ webhookId }) => void seen.push(['webhook:deleted', webhookId]));
  dispatcher.on(
    'event:dispatched',
    ({ event, deliveries }) => void seen.push([`event:dispatched ${deliveries}`, event.type]),
  );
  dispatcher.on(
    'delivery:failed',
    ({ eventType, retryInMs }) => void seen.push([`delivery:failed ${retryInMs}`, eventType]),
  );
  dispatcher.on(
    'delivery:delivered',
    ({ attempt }) => void seen.push(['delivery:delivered', attempt?.outcome]),
  );
  dispatcher.on('delivery:dead', ({ attempt }) => void seen.push(['delivery:dead', attempt?.outcome]));

  const { id } = await dispatcher.webhooks.create(toAll);
  channel.failNext(1, failed('timeout', 'slow'));
  await dispatcher.dispatch('a', 1);
  await dispatcher.advance('1m');
  channel.failNext(1, rejected('http_status', 'never'));
  await dispatcher.dispatch('b', 1);
  await dispatcher.drain();
  await dispatcher.webhooks.update(id, { name: 'renamed' });
  await dispatcher.webhooks.update(id, { name: 'renamed' });
  await dispatcher.webhooks.delete(id);
  await dispatcher.webhooks.delete(id);

  expect(seen).toEqual([
    ['webhook:created', id],
    ['event:dispatched 1', 'a'],
    ['delivery:failed 60000', 'a'],
    ['delivery:delivered', 'delivered'],
    ['event:dispatched 1', 'b'],
    ['delivery:dead', 'rejected'],
    ['webhook:updated', 'renamed'],
    ['webhook:deleted', id],
  ]);
});

test('a repeated idempotency key is not announced, as nothing was dispatched', async () => {
  const dispatcher = testDispatcher({ channels: [] });
  let count = 0;
  dispatcher.on('event:dispatched', () => void count++);
  await dispatcher.dispatch('a', 1, { idempotencyKey: 'k' });
  await dispatcher.dispatch('a', 1, { idempotencyKey: 'k' });
  expect(count).toBe(1);
});

test('an event in a transaction is not announced, as it is unknown whether that commits', async () => {
  const storage = memoryStorage();
  const { publish, ...deliveries } = storage.deliveries;
  /** Buffers what is published in a transaction until the commit. */
  class Transaction {
    readonly held: Parameters<typeof publish>[0][number][] = [];
    commit = () => publish(this.held);
  }
  const transactional: StorageAdapter<Transaction> = {
    ...(storage as StorageAdapter<unknown> as StorageAdapter<Transaction>),
    supports: { ...storage.supports, transactions: true },
    deliveries: {
      ...deliveries,
      async publish(events, options = {}) {
        if (!options.tx) return publish(events, options as object);
        options.tx.held.push(...events);
        const published = events.map(({ id }) => ({ eventId: id, deliveries: 1 }));
        return { published, claims: [], at: new Date() };
      },
    },
  };
  const dispatcher = createDispatcher({ storage: transactional, channels: [recordingChannel()] });
  const heard: string[] = [];
  dispatcher.on('event:dispatched', ({ event }) => void heard.push(event.type));
  dispatcher.on('delivery:delivered', ({ eventType }) => void heard.push(`delivered ${eventType}`));
  await dispatcher.webhooks.create(toAll);
  const [rolledBack, committed] = [new Transaction(), new Transaction()];
  await dispatcher.dispatch('rolled.back', 1, { tx: rolledBack });
  await dispatcher.dispatchMany([{ type: 'committed', payload: 1 }], { tx: committed });
  await dispatcher.dispatch('alone', 1);
  await committed.commit();
  await dispatcher.drain();
  expect(heard.sort()).toEqual(['alone', 'delivered alone', 'delivered committed']);
});

test('a listener that throws affects neither a delivery nor the next listener', async () => {
  const channel = recordingChannel();
  const dispatcher = testDispatcher({ channels: [channel] });
  const errors: PosthornError[] = [];
  let heard = 0;
  dispatcher.on('error', (error) => void errors.push(error));
  dispatcher.on('delivery:delivered', () => {
    throw new Error('sync');
  });
  dispatcher.on('delivery:delivered', async () => {
    throw new Error('async');
  });
  dispatcher.on('delivery:delivered', () => void heard++);
  await dispatcher.webhooks.create(toAll);
  await dispatcher.dispatch('a', 1);
  await dispatcher.drain();
  await until(() => errors.length === 2);
  expect(heard).toBe(1);
  expect(errors.map(({ code, cause }) => [code, (cause as Error).message])).toEqual([
    ['listener_failed', 'sync'],
    ['listener_failed', 'async'],
  ]);
  expect((await dispatcher.deliveries.list()).items).toMatchObject([{ status: 'delivered' }]);
});

test('one function may listen to several announcements, and throw at each', async () => {
  const dispatcher = testDispatcher({ channels: [recordingChannel()] });
  const heard: unknown[] = [];
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on('warning', onWarning);
  const listener = (facts: unknown) => {
    heard.push(facts);
    throw new Error('always');
  };
  dispatcher.on('delivery:delivered', listener).on('error', listener);
  await dispatcher.webhooks.create(toAll);
  await dispatcher.dispatch('a', 1);
  await dispatcher.drain();
  expect(heard).toHaveLength(2);
  expect(heard[1]).toMatchObject({ message: "a listener of 'delivery:delivered' threw" });
  await until(() => warnings.some(({ message }) => message === "a listener of 'error' threw"));
  process.off('warning', onWarning);
  dispatcher.off('delivery:delivered', listener);
  await dispatcher.dispatch('a', 1);
  await dispatcher.drain();
  expect(heard).toHaveLength(2);
});

test('a listener must be a function', () => {
  const dispatcher = testDispatcher({ channels: [] });
  expect(() => dispatcher.on('error', 'x' as never)).toThrow(
    expect.objectContaining({ code: 'invalid_option' }),
  );
});

test('a cancelled delivery is announced', async () => {
  const dispatcher = testDispatcher({ channels: [recordingChannel()] });
  const cancelled: unknown[] = [];
  dispatcher.on('delivery:cancelled', (facts) => void cancelled.push(facts));
  await dispatcher.webhooks.create(toAll);
  await dispatcher.dispatch('a', 1);
  const { id } = (await dispatcher.deliveries.list()).items[0]!;
  await dispatcher.deliveries.cancel(id);
  expect(cancelled).toMatchObject([{ deliveryId: id, eventType: 'a', channel: 'webhook', attempt: null }]);
});

test('an error without a listener is a process warning, and never an exception', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on('warning', onWarning);
  const dispatcher = testDispatcher({ channels: [recordingChannel()] });
  dispatcher.on('webhook:created', () => {
    throw new Error('unheard');
  });
  await dispatcher.webhooks.create(toAll);
  await until(() => warnings.some((warning) => (warning as PosthornError).code === 'listener_failed'));
  process.off('warning', onWarning);
});

test('`once` listens once, `off` removes a listener, and `off` accepts a function that never listened', async () => {
  const dispatcher = testDispatcher({ channels: [] });
  const heard: string[] = [];
  const always = () => void heard.push('always');
  dispatcher.once('event:dispatched', () => void heard.push('once')).on('event:dispatched', always);
  await dispatcher.dispatch('a', 1);
  await dispatcher.dispatch('a', 1);
  dispatcher.off('event:dispatched', () => {});
  await dispatcher.dispatch('a', 1);
  dispatcher.off('event:dispatched', always);
  await dispatcher.dispatch('a', 1);
  expect(heard).toEqual(['once', 'always', 'always', 'always']);
});

test('names and facts are typed', () => {
  const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [] });
  dispatcher.on('delivery:failed', (facts) => {
    expectTypeOf(facts).toExtend<DeliveryInfo>();
    expectTypeOf(facts.retryInMs).toEqualTypeOf<number>();
  });
  // @ts-expect-error: there is no such announcement
  dispatcher.on('delivery:exploded', () => {});
});

import { createDispatcher, type Dispatcher, type DispatcherOptions } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel } from '@posthorn/testing';
import { expect, onTestFinished, test } from 'vitest';

test.each<[string, object, string]>([
  ['no storage', { storage: undefined }, 'storage must be an object, such as memoryStorage(), not undefined'],
  ['a storage without a method', { storage: { ...memoryStorage(), log: {} } }, 'storage.log.events'],
  ['channels that are no array', { channels: {} }, 'channels must be an array'],
  ['a channel that is none', { channels: [{}] }, 'channels[0]'],
  ...(
    [
      ['secretPaths', ['token']],
      ['secretPaths', [[['token']]]],
      ['secretPaths', [[1]]],
      ['secretPaths', 'token'],
      ['secretPaths', { token: true }],
      ['secretPaths', null],
      ['deadlineMs', 5_000],
      ['preview', true],
      ['supportsDigests', 'yes'],
      ['takesCancellation', 1],
    ] as const
  ).map(([field, value]): [string, object, string] => [
    `a channel whose ${field} is ${JSON.stringify(value)}`,
    { channels: [{ ...recordingChannel(), [field]: value }] },
    `channels[0].${field} must be`,
  ]),
  [
    'two channels of one type',
    { channels: [recordingChannel(), recordingChannel()] },
    'a type of its own: webhook is taken',
  ],
  ['a misspelt option', { concurency: 5 }, 'unknown option concurency'],
  ['a concurrency of 0', { concurrency: 0 }, 'concurrency'],
  ['a concurrency that is no number', { webhookConcurrency: '5' }, 'webhookConcurrency'],
  ['a deadline of 0', { attemptDeadline: 0 }, 'attemptDeadline'],
  ['a lease that no timer can keep', { lease: '25d' }, 'lease'],
  ['an interval that is none', { pollInterval: 'soon' }, 'pollInterval'],
  ['a payload limit of half a byte', { maxPayloadBytes: 0.5 }, 'maxPayloadBytes'],
  ['a negative retention', { retention: -1 }, 'retention'],
  ['a retention beyond every calendar', { retention: 2 ** 43 }, 'retention'],
  ['a retention that is true', { retention: true }, 'retention'],
  ['a lease longer than a timer', { lease: '25d' }, 'lease'],
  ['a poll interval longer than a timer', { pollInterval: 2 ** 31 }, 'pollInterval'],
  ['a clock that is no function', { now: 5 }, 'now must be a function'],
  ['a catalog that is none', { events: 'x' }, 'events must be an object'],
  ['ids that are none', { ids: null }, 'ids must be an object'],
  ['retry options that are null', { retry: null }, 'retry'],
  ['a misspelt retry option', { retry: { shedule: [] } }, 'shedule'],
])('%s is refused by name', (_, options, message) => {
  const given = { storage: memoryStorage(), channels: [], ...options } as unknown as DispatcherOptions;
  expect(() => createDispatcher(given)).toThrow(
    expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(message) }),
  );
});

test('what is no object is refused', () => {
  expect(() => createDispatcher(undefined as never)).toThrow(
    expect.objectContaining({ code: 'invalid_option' }),
  );
});

test.each<[string, (dispatcher: Dispatcher) => unknown]>([
  ['dispatch', (d) => d.dispatch('a', 1, null as never)],
  ['dispatchMany', (d) => d.dispatchMany([{ type: 'a', payload: 1 }], { tenantId: 'acme' } as never)],
  ['dispatchMany of what is no list', (d) => d.dispatchMany('ab' as never)],
  ['dispatchMany of null', (d) => d.dispatchMany([null as never])],
  ['stop', (d) => d.stop({ graceMs: 5 } as never)],
  ['stop of null', (d) => d.stop(null as never)],
  ['webhooks.get', (d) => d.webhooks.get('wh_0000000000', { tenant: 'x' } as never)],
  ['webhooks.list', (d) => d.webhooks.list({ active: true } as never)],
  ['webhooks.delete', (d) => d.webhooks.delete('wh_0000000000', null as never)],
  [
    'webhooks.rotateSecret',
    (d) => d.webhooks.rotateSecret('wh_0000000000', { overlap: Number.MAX_SAFE_INTEGER }),
  ],
  [
    'webhooks.rotateSecret of another kind',
    (d) => d.webhooks.rotateSecret('wh_0000000000', { kind: 'v2' as never }),
  ],
  ['deliveries.list', (d) => d.deliveries.list({ webhookID: 'x' } as never)],
  ['deliveries.get', (d) => d.deliveries.get('dlv_x', null as never)],
  ['deliveries.cancel', (d) => d.deliveries.cancel('dlv_x', null as never)],
  ['events.get', (d) => d.events.get('evt_x', null as never)],
  ['events.list', (d) => d.events.list({ kind: 'a' } as never)],
])('options of %s that do nothing are refused, by a rejection', async (_, call) => {
  const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [] });
  const result = call(dispatcher);
  expect(result).toBeInstanceOf(Promise);
  await expect(result).rejects.toMatchObject({ code: 'invalid_option' });
});

test('what a polluted Object.prototype holds is no option', async () => {
  const pollution = { concurrency: 0, encryption: { keys: [] }, tenantId: 'other', limit: 5_000 };
  for (const [name, value] of Object.entries(pollution)) {
    Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
  }
  onTestFinished(() => {
    for (const name of Object.keys(pollution)) delete (Object.prototype as Record<string, unknown>)[name];
  });
  const { webhooks } = createDispatcher({ storage: memoryStorage(), channels: [recordingChannel()] });
  const input = {
    tenantId: 'mine',
    name: 'a',
    eventTypes: ['*'],
    channels: [{ channel: 'webhook', configs: {} }],
  };
  const { id } = await webhooks.create(input);
  await expect(webhooks.get(id, {})).rejects.toMatchObject({ code: 'not_found' });
  expect(await webhooks.list({ tenantId: 'mine' })).toMatchObject({ items: [{ id }] });
});

test('an option that is undefined has its default', () => {
  const options = {
    storage: memoryStorage(),
    channels: [],
    concurrency: undefined,
  } as unknown as DispatcherOptions;
  expect(() => createDispatcher(options)).not.toThrow();
});

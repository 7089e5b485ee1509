import { createDispatcher, type DispatcherOptions } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel } from '@posthorn/testing';
import { expect, test } from 'vitest';

test.each<[string, object, string]>([
  ['no storage', { storage: undefined }, 'storage.webhooks.create'],
  ['a storage without a method', { storage: { ...memoryStorage(), log: {} } }, 'storage.log.events'],
  ['channels that are no array', { channels: {} }, 'channels must be an array'],
  ['a channel that is none', { channels: [{}] }, 'channels[0]'],
  ['two channels of one type', { channels: [recordingChannel(), recordingChannel()] }, 'two of type webhook'],
  ['a misspelt option', { concurency: 5 }, 'no option is called concurency'],
  ['a concurrency of 0', { concurrency: 0 }, 'concurrency'],
  ['a concurrency that is no number', { webhookConcurrency: '5' }, 'webhookConcurrency'],
  ['a deadline of 0', { attemptDeadline: 0 }, 'attemptDeadline'],
  ['a lease that no timer can keep', { lease: '25d' }, 'lease'],
  ['an interval that is none', { pollInterval: 'soon' }, 'pollInterval'],
  ['a payload limit of half a byte', { maxPayloadBytes: 0.5 }, 'maxPayloadBytes'],
  ['a negative retention', { retention: -1 }, 'retention'],
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

test('an option that is undefined has its default', () => {
  const options = {
    storage: memoryStorage(),
    channels: [],
    concurrency: undefined,
  } as unknown as DispatcherOptions;
  expect(() => createDispatcher(options)).not.toThrow();
});

import { createDispatcher } from '@posthorn/core';
import { recordingChannel } from '@posthorn/testing';
import { expect, test } from 'vitest';
import { memoryStorage } from '../src/index.js';

const hourMs = 3_600_000;

test('a clock that is set back loses nothing', async () => {
  let time = Date.UTC(2026, 0, 1);
  const channel = recordingChannel();
  const storage = memoryStorage({ now: () => time });
  const dispatcher = createDispatcher({ storage, channels: [channel] });
  await dispatcher.webhooks.create({
    name: 'all',
    eventTypes: ['*'],
    channels: [{ channel: 'webhook', configs: {} }],
  });
  channel.failNext(1);
  await dispatcher.dispatch('retried', 1);
  await dispatcher.drain();
  await dispatcher.dispatch('due', 2);
  time -= hourMs;
  await dispatcher.dispatch('later', 3);
  await dispatcher.drain();
  time += 3 * hourMs;
  await dispatcher.drain();
  const { items } = await dispatcher.deliveries.list();
  expect(items.map(({ status }) => status)).toEqual(['delivered', 'delivered', 'delivered']);
});

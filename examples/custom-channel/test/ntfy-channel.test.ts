import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { expect, test } from 'vitest';
import { ntfyChannel } from '../src/ntfy-channel.js';

const { config, preview } = ntfyChannel();

/** A message as the engine makes it, with the fields of `of`. */
async function textOf(configs: object, of: object = {}): Promise<string> {
  const channel = recordingChannel('ntfy');
  const posthorn = testDispatcher({ channels: [channel] });
  await posthorn.webhooks.create({ name: 'a', eventTypes: ['*'], channels: [{ channel: 'ntfy', configs }] });
  await posthorn.dispatch('order.placed', { total: 42 }, { subject: { type: 'order', id: 'o1' } });
  await posthorn.drain();
  const { message } = channel.deliveries[0]!;
  const { event, payload } = message;
  const parts = await preview!({ ...message, event, payload, configs: configs as never, ...of });
  return parts.map(({ text }) => text).join('\n');
}

test('sends the event type and subject, or the text of its template', async () => {
  expect(await textOf({ topic: 'a' })).toBe('order.placed o1');
  expect(await textOf({ topic: 'a', message_template: '{{ metadata.total }} €' })).toBe('42 €');
});

test('sends all events of a digest', async () => {
  const digest = ['order.placed', 'order.paid'].map((type) => ({ event: { type, subject: null } }));
  expect(await textOf({ topic: 'a' }, { digest })).toBe('order.placed\norder.paid');
});

test('refuses a template that cannot be parsed, and a topic that is a path', async () => {
  const configs = { topic: '../admin', message_template: '{{ event_type' };
  const { issues } = await config['~standard'].validate(configs);
  expect(issues?.map(({ path }) => path?.join('.'))).toEqual(['topic', 'message_template']);
});

import { type Channel, createDispatcher } from '@posthorn/core';
import { delivered, failed, type Message, type Verdict } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const secret = 'secret-token-of-the-receiver';
const configs = { url: 'https://a.example/', headers: { authorization: secret }, list: [{ a: 1 }] };

/** Sends events one after the other through a channel with this `send`. Resolves to the recorded attempts. */
async function sentBy(send: (message: Message<typeof configs>) => Promise<Verdict>, events = 1) {
  const channel: Channel<typeof configs> = {
    type: 'odd',
    config: z.any(),
    secretPaths: [['headers', '*']],
    supportsDigests: true,
    send,
  };
  const dispatcher = createDispatcher({
    storage: memoryStorage(),
    channels: [channel],
    retry: { schedule: [] },
    attemptDeadline: '2s',
  });
  await dispatcher.webhooks.create({
    name: 'all',
    eventTypes: ['*'],
    channels: [{ channel: 'odd', configs }],
  });
  for (let i = 0; i < events; i++) {
    await dispatcher.dispatch('a.b', { i });
    await dispatcher.drain();
  }
  const { items } = await dispatcher.deliveries.list();
  return Promise.all(items.map(async ({ id }) => (await dispatcher.deliveries.attempts(id))[0]!));
}

const answer = failed('http_status', `an answer that repeats ${secret}`, { status: 500, response: secret });

describe('a channel cannot change its input', () => {
  /** Returns the object to change, the field, and the new value. */
  const spoils: Record<string, (message: Message<typeof configs>) => [object, string, unknown]> = {
    'a field of its configs': (message) => [message.configs, 'url', 'https://b.example/'],
    'a field deep in its configs': (message) => [message.configs.headers, 'authorization', 'another'],
    'an item in its configs': (message) => [message.configs.list, '1', 2],
    'its configs': (message) => [message, 'configs', undefined],
    'its secrets': (message) => [message, 'secrets', undefined],
    'one of its secrets': (message) => [message.secrets, '0', 'x'],
    'its event': (message) => [message.event, 'payload', '{}'],
    'its webhook': (message) => [message.webhook, 'name', 'x'],
  };

  test.each(Object.entries(spoils))(
    '%s: the attempt fails, and the next one gets the original',
    async (_, spoil) => {
      const seen: string[] = [];
      const attempts = await sentBy(async (message) => {
        seen.push(JSON.stringify([message.configs, message.secrets.length, message.webhook.name]));
        const [holder, name, value] = spoil(message);
        Object.assign(holder, { [name]: value });
        return delivered();
      }, 2);
      expect(new Set(seen).size).toBe(1);
      expect(attempts).toMatchObject([{ kind: 'channel_error' }, { kind: 'channel_error' }]);
    },
  );

  test('a Date that it changes is its own copy: the record has the time when the attempt began', async () => {
    const before = Date.now();
    const [attempt] = await sentBy(async ({ startedAt, event }) => {
      startedAt.setTime(0);
      event.occurredAt.setTime(0);
      return delivered();
    });
    expect(attempt!.startedAt.getTime()).toBeGreaterThanOrEqual(before - 1_000);
  });

  test('secrets are redacted from its report, even where it tries to hide them', async () => {
    const [attempt] = await sentBy(async (message) => {
      try {
        Object.assign(message, { configs: {}, secrets: [] });
      } catch {
        // The object is frozen.
      }
      return answer;
    });
    expect(JSON.stringify(attempt)).not.toContain(secret);
    expect(attempt).toMatchObject({ kind: 'http_status', status: 500 });
  });
});

describe('the verdict of a channel', () => {
  test('is read once: a verdict that changes or throws later has no effect', async () => {
    let reads = 0;
    const [attempt] = await sentBy(async () => ({
      ...answer,
      get message(): string {
        if (++reads > 2) throw new Error('no more');
        return 'it did not work';
      },
    }));
    expect(attempt).toMatchObject({ outcome: 'failed', message: 'it did not work' });
  });

  test('that cannot be read is a failure of the channel, not an unhandled rejection', async () => {
    const [attempt] = await sentBy(
      async () =>
        new Proxy({} as Verdict, {
          get: (_, name) => {
            if (name === 'then') return undefined;
            throw new Error('no');
          },
        }),
    );
    expect(attempt).toMatchObject({ outcome: 'failed', kind: 'channel_error' });
  });
});

import * as core from '@posthorn/core';
import type * as channels from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';

/** Another copy of the package in this process. npm installs one where two version ranges do not overlap. */
let other: typeof core & typeof channels;
beforeAll(async () => {
  vi.resetModules();
  other = { ...(await import('@posthorn/core')), ...(await import('@posthorn/core/channel')) };
});

const input = { name: 'all', eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] } as const;
const text = '{"total":1.10}';

describe('of two copies in one process', () => {
  test('each has its own classes', () => {
    expect(other.createDispatcher).not.toBe(core.createDispatcher);
    expect(other.PosthornError).not.toBe(core.PosthornError);
  });

  test.each([
    ['without a catalog', undefined],
    ['with a catalog', core.defineEvents({ 'order.placed': z.object({ total: z.number() }) })],
  ])('rawJson of one is a finished payload to the other, %s', async (_, events) => {
    const channel = recordingChannel();
    const posthorn = testDispatcher({ channels: [channel], ...(events && { events }) });
    await posthorn.webhooks.create(input);
    await posthorn.dispatch('order.placed', other.rawJson(text) as never);
    await posthorn.drain();
    expect(channel.deliveries[0]?.message.event.payload).toBe(text);
  });

  test('an error of one is an error to the other, by name, by code and by instanceof', () => {
    const theirs = new other.PosthornError('url_invalid', 'is no address');
    expect(theirs).toBeInstanceOf(core.PosthornError);
    expect(core.isPosthornError(theirs)).toBe(true);
    expect(new Error('no') instanceof core.PosthornError).toBe(false);
    expect({ name: 'PosthornError', code: 'conflict' } instanceof core.PosthornError).toBe(false);
  });

  test('an error is an instance of a class derived from PosthornError only if that class made it', () => {
    class Derived extends core.PosthornError {}
    const error = new core.PosthornError('conflict', 'is taken');
    expect([error instanceof Derived, new Derived('conflict', 'is taken') instanceof Derived]).toEqual([
      false,
      true,
    ]);
    expect(new Derived('conflict', 'is taken')).toBeInstanceOf(other.PosthornError);
  });

  test('an error of one keeps its code when thrown in a schema that the other calls', async () => {
    const config = z.any().transform(() => {
      throw new other.PosthornError('url_invalid', 'is no address');
    });
    const posthorn = testDispatcher({ channels: [{ ...recordingChannel(), config }] });
    await expect(posthorn.webhooks.create(input)).rejects.toMatchObject({ code: 'url_invalid' });
  });

  test('a storage, a channel and a verdict of one work with the other', async () => {
    const channel = other.functionChannel('webhook', async () =>
      other.failed('http_status', 'no', { status: 500 }),
    );
    const dispatcher = core.createDispatcher({
      storage: memoryStorage(),
      channels: [channel],
      retry: { schedule: [] },
    });
    await dispatcher.webhooks.create(input);
    await dispatcher.dispatch('a.b', {});
    await dispatcher.drain();
    expect((await dispatcher.deliveries.list()).items).toMatchObject([{ status: 'dead' }]);
  });

  test('a secret of one is masked, and revealed, by the other', () => {
    const secret = new other.Secret('whsec_x');
    expect([JSON.stringify({ secret }), `${secret}`, secret.reveal()]).toEqual([
      '{"secret":"***"}',
      '***',
      'whsec_x',
    ]);
  });
});

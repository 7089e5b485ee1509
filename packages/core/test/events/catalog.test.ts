import { createDispatcher, type Dispatcher, defineEvents, type PosthornError, rawJson } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { type } from 'arktype';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';

const events = defineEvents({
  'object.created': z.object({ objectId: z.string(), at: z.date().optional() }),
  'object.deleted': type({ objectId: 'string', hard: 'boolean' }),
});

async function application() {
  const channel = recordingChannel();
  const dispatcher = testDispatcher({ channels: [channel], events });
  await dispatcher.webhooks.create({
    name: 'all',
    eventTypes: ['*'],
    channels: [{ channel: 'webhook', configs: {} }],
  });
  return { channel, dispatcher };
}

describe('a catalog', () => {
  test('accepts payloads that its schemas accept, of any schema library', async () => {
    const { dispatcher, channel } = await application();
    await dispatcher.dispatch('object.created', { objectId: 'o1' });
    await dispatcher.dispatch('object.deleted', { objectId: 'o1', hard: true });
    await dispatcher.drain();
    expect(channel.deliveries.map((one) => one.type)).toEqual(['object.created', 'object.deleted']);
  });

  test('checks the payload and does not change it', async () => {
    const { dispatcher, channel } = await application();
    const payload = { objectId: 'o1', extra: 1, at: new Date(0) };
    await dispatcher.dispatch('object.created', payload);
    await dispatcher.drain();
    expect(channel.deliveries[0]?.message.event.payload).toBe(JSON.stringify(payload));
  });

  test('checks JSON text as well', async () => {
    const { dispatcher } = await application();
    await dispatcher.dispatch('object.deleted', rawJson('{"objectId":"o1","hard":false}'));
    await expect(dispatcher.dispatch('object.deleted', rawJson('{"objectId":1}'))).rejects.toMatchObject({
      code: 'invalid_payload',
    });
  });

  test('refuses an invalid payload before anything is stored, and reports the path', async () => {
    const { dispatcher } = await application();
    // @ts-expect-error: objectId is a string
    const error: PosthornError = await dispatcher.dispatch('object.created', { objectId: 1 }).catch((e) => e);
    expect(error).toMatchObject({ code: 'invalid_payload', issues: [{ path: ['objectId'] }] });
    expect((await dispatcher.events.list()).items).toEqual([]);
  });

  test('refuses a type that it does not contain', async () => {
    const { dispatcher } = await application();
    // @ts-expect-error: not in the catalog
    await expect(dispatcher.dispatch('object.moved', {})).rejects.toMatchObject({
      code: 'unknown_event_type',
    });
    // @ts-expect-error: nor is what every object has
    await expect(dispatcher.dispatch('constructor', {})).rejects.toMatchObject({
      code: 'unknown_event_type',
    });
    expect((await dispatcher.events.list()).items).toEqual([]);
  });

  test('checks the payload of a test send', async () => {
    const { dispatcher } = await application();
    const { id } = (await dispatcher.webhooks.list()).items[0]!;
    expect(await dispatcher.webhooks.test(id)).toMatchObject([{ verdict: { outcome: 'delivered' } }]);
    await dispatcher.webhooks.test(id, { type: 'object.created', payload: rawJson('{"objectId":"o1"}') });
    await dispatcher.webhooks.test(id, { type: 'webhook.test', payload: 1 });
    const wrong = { type: 'object.created', payload: { objectId: 1 } } as const;
    await expect(dispatcher.webhooks.test(id, wrong)).rejects.toMatchObject({ code: 'invalid_payload' });
    // @ts-expect-error: not in the catalog
    await expect(dispatcher.webhooks.test(id, { type: 'other' })).rejects.toMatchObject({
      code: 'unknown_event_type',
    });
  });

  test('refuses a webhook with an exact name that it does not contain, and accepts patterns', async () => {
    const { dispatcher } = await application();
    const channels = [{ channel: 'webhook', configs: {} }];
    const { webhooks }: Dispatcher = dispatcher;
    await expect(
      webhooks.create({ name: 'w', eventTypes: ['object.*', 'object.moved'], channels }),
    ).rejects.toMatchObject({ code: 'invalid_webhook', issues: [{ path: ['eventTypes', 1] }] });
    await webhooks.create({ name: 'w', eventTypes: ['other.*'], channels });
  });

  test('reads the payload at once: later changes to it have no effect', async () => {
    const { dispatcher, channel } = await application();
    const payload = { objectId: 'o1' };
    const dispatched = dispatcher.dispatch('object.created', payload);
    payload.objectId = 7 as never;
    await dispatched;
    await dispatcher.drain();
    expect(channel.deliveries[0]?.payload).toEqual({ objectId: 'o1' });
  });

  test('turns an error of a schema into a typed error', async () => {
    const broken = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (): never => {
          throw new Error('broken');
        },
      },
    };
    const dispatcher = testDispatcher({ channels: [], events: defineEvents({ a: broken }) });
    await expect(dispatcher.dispatch('a', 1)).rejects.toMatchObject({ code: 'invalid_payload' });
  });

  test('is refused where a name or a schema is invalid', () => {
    expect(() => defineEvents({ 'a.*': z.string() })).toThrow(
      expect.objectContaining({ code: 'invalid_event_type' }),
    );
    expect(() => defineEvents({ a: {} as never })).toThrow(
      expect.objectContaining({ code: 'invalid_option' }),
    );
  });
});

describe('types', () => {
  test('dispatch knows the catalog', () => {
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [], events });
    expectTypeOf(dispatcher.dispatch<'object.created'>)
      .parameter(0)
      .toEqualTypeOf<'object.created'>();
    expectTypeOf(dispatcher.dispatch).parameter(0).toEqualTypeOf<'object.created' | 'object.deleted'>();
    expectTypeOf(dispatcher.dispatchMany)
      .parameter(0)
      .items.toHaveProperty('type')
      .toEqualTypeOf<'object.created' | 'object.deleted'>();
    const mistakes = () => {
      // @ts-expect-error: no such type
      void dispatcher.dispatch('object.moved', {});
      // @ts-expect-error: the payload of another type
      void dispatcher.dispatch('object.deleted', { objectId: 'o1' });
      // @ts-expect-error: the payload of another type
      void dispatcher.dispatchMany([{ type: 'object.deleted', payload: { objectId: 'o1' } }]);
      // @ts-expect-error: the memory storage has no transactions
      void dispatcher.dispatch('object.created', { objectId: 'o1' }, { tx: {} });
    };
    expect(mistakes).toBeTypeOf('function');
  });

  test('without a catalog any event type and any payload compile', () => {
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [] });
    expectTypeOf(dispatcher.dispatch).parameter(0).toEqualTypeOf<string>();
    expectTypeOf(dispatcher.dispatch).parameter(1).toEqualTypeOf<unknown>();
  });
});

describe('a pattern that matches nothing in the catalog', () => {
  const events = defineEvents({ 'order.placed': z.object({}), 'order.line.added': z.object({}) });
  const input = { name: 'w', channels: [{ channel: 'webhook', configs: {} }] };
  const patterns = ['order.*', '*', '*.placed', '*.line.*', 'order.line.added'];

  test('is allowed by default: the catalog may grow', async () => {
    const { webhooks }: Dispatcher = testDispatcher({ channels: [recordingChannel()], events });
    await expect(webhooks.create({ ...input, eventTypes: ['ordr.*'] })).resolves.toMatchObject({
      eventTypes: ['ordr.*'],
    });
  });

  test('is refused at its path where the application asks for it; other patterns are not', async () => {
    const options = { channels: [recordingChannel()], events, unmatchedPatterns: 'refuse' } as const;
    const { webhooks }: Dispatcher = testDispatcher(options);
    const { id } = await webhooks.create({ ...input, eventTypes: patterns });
    for (const pattern of ['ordr.*', 'order.placed.*', '*.*.*.*', 'order.*.removed']) {
      const refused = {
        code: 'invalid_webhook',
        issues: [{ path: ['eventTypes', 1], message: `${pattern} matches nothing in the catalog` }],
      };
      const eventTypes = ['order.*', pattern];
      await expect(webhooks.create({ ...input, eventTypes })).rejects.toMatchObject(refused);
      await expect(webhooks.update(id, { eventTypes })).rejects.toMatchObject(refused);
    }
  });

  test('can only be refused where there is a catalog, and by a known value of the option', () => {
    const channels = [recordingChannel()];
    for (const options of [{ unmatchedPatterns: 'refuse' }, { events, unmatchedPatterns: 'warn' }]) {
      expect(() => testDispatcher({ channels, ...options } as never)).toThrow(
        expect.objectContaining({
          code: 'invalid_option',
          message: expect.stringContaining('unmatchedPatterns'),
        }),
      );
    }
  });
});

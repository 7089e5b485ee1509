import {
  type Channel,
  createDispatcher,
  type Deliveries,
  type Dispatcher,
  defineEvents,
  functionChannel,
  type Replays,
  type StorageAdapter,
  type Webhooks,
} from '@posthorn/core';
import { delivered } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { testDispatcher } from '@posthorn/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';

interface PagerConfigs {
  readonly number: string;
  readonly urgent: boolean;
}

/** The schema fills in what is left out. */
interface PagerInput {
  readonly number: string;
  readonly urgent?: boolean | undefined;
}

const pager: Channel<PagerConfigs, 'pager', PagerInput> = {
  type: 'pager',
  config: z.strictObject({ number: z.string(), urgent: z.boolean().default(false) }),
  supportsDigests: true,
  send: async () => delivered(),
};
const chat = functionChannel('chat', () => {}, { config: z.strictObject({ room: z.string() }) });
const events = defineEvents({
  'order.placed': z.object({ orderId: z.string() }),
  'order.line.added': z.object({ sku: z.string() }),
});
const application = () => testDispatcher({ channels: [pager, chat], events });
const toPager = { channel: 'pager', configs: { number: '1' } } as const;
const w = { name: 'w', eventTypes: ['order.placed'], channels: [toPager] } as const;
const refused = { code: 'invalid_webhook' };

describe('what a webhook may have follows from the channels and the catalog', () => {
  test('a misspelt channel does not compile, and is refused', async () => {
    const { webhooks } = application();
    const { id } = await webhooks.create(w);
    // @ts-expect-error: pagr
    const created = webhooks.create({ ...w, channels: [{ channel: 'pagr', configs: { number: '1' } }] });
    await expect(created).rejects.toMatchObject(refused);
    // @ts-expect-error: chatt
    const updated = webhooks.update(id, { channels: [{ channel: 'chatt', configs: { room: 'r' } }] });
    await expect(updated).rejects.toMatchObject(refused);
    const onlyAfter = { channel: 'pagr', failedAttempts: 1 } as const;
    // @ts-expect-error: pagr
    const escalated = webhooks.create({ ...w, channels: [toPager, { ...toRoom, onlyAfter }] });
    await expect(escalated).rejects.toMatchObject(refused);
  });

  test('a wrong, a missing and an unknown field of configs do not compile, and are refused', async () => {
    const { webhooks } = application();
    // @ts-expect-error: a number is text
    const wrong = webhooks.create({ ...w, channels: [{ channel: 'pager', configs: { number: 1 } }] });
    await expect(wrong).rejects.toMatchObject(refused);
    // @ts-expect-error: no number
    const missing = webhooks.create({ ...w, channels: [{ channel: 'pager', configs: { urgent: true } }] });
    await expect(missing).rejects.toMatchObject(refused);
    const unknown = webhooks.create({
      ...w,
      // @ts-expect-error: urgency
      channels: [{ channel: 'pager', configs: { number: '1', urgency: true } }],
    });
    await expect(unknown).rejects.toMatchObject(refused);
    // @ts-expect-error: the configs of another channel
    const other = webhooks.create({ ...w, channels: [{ channel: 'pager', configs: { room: 'r' } }] });
    await expect(other).rejects.toMatchObject(refused);
  });

  test('an event type that the catalog does not have, or a pattern that matches none, does not compile', async () => {
    const { webhooks } = application();
    const { id } = await webhooks.create(w);
    // @ts-expect-error: order.plased
    const created = webhooks.create({ ...w, eventTypes: ['order.placed', 'order.plased'] });
    await expect(created).rejects.toMatchObject(refused);
    // @ts-expect-error: order.plased
    await expect(webhooks.update(id, { eventTypes: ['order.plased'] })).rejects.toMatchObject(refused);
    // @ts-expect-error: ordr.*
    await webhooks.update(id, { eventTypes: ['ordr.*'] });
    // @ts-expect-error: four segments
    await webhooks.update(id, { eventTypes: ['*.*.*.*'] });
    // @ts-expect-error: a star is a whole segment
    await expect(webhooks.update(id, { eventTypes: ['order.pl*'] })).rejects.toMatchObject(refused);
    // @ts-expect-error: order.plased
    await expect(webhooks.preview(id, { type: 'order.plased' })).rejects.toMatchObject({
      code: 'unknown_event_type',
    });
    // @ts-expect-error: ordr.*
    await webhooks.list({ pattern: 'ordr.*' });
  });

  test('each pattern that matches a type of the catalog compiles, and so do configs without their defaults', async () => {
    const { webhooks } = application();
    const eventTypes = [
      ...([
        '*',
        '*.*',
        '*.*.*',
        '*.placed',
        'order.*',
        'order.*.*',
        'order.*.added',
        'order.line.*',
      ] as const),
      ...(['*.line.added', '*.line.*', '*.*.added', 'order.placed', 'order.line.added'] as const),
    ];
    const webhook = await webhooks.create({ ...w, eventTypes });
    expect(webhook.eventTypes).toEqual(eventTypes);
    expect(webhook.channels).toMatchObject([{ configs: { number: '1', urgent: false } }]);
    await webhooks.preview(webhook.id);
    await webhooks.test(webhook.id, { type: 'webhook.test' });
  });

  test('frozen lists compile', async () => {
    const { webhooks } = application();
    const channels = Object.freeze([toPager, toRoom] as const);
    await expect(webhooks.create({ ...w, channels })).resolves.toMatchObject({ name: 'w' });
    expectTypeOf(createDispatcher).toBeCallableWith({
      storage: memoryStorage(),
      channels: [pager, chat] as const,
      retry: { schedule: ['1s', '5s'] as const },
    });
  });

  test('text of the running program compiles where the annotation says that any is taken, and is checked', async () => {
    const { webhooks }: Dispatcher = application();
    expectTypeOf(application().webhooks).toExtend<Webhooks>();
    const parsed = JSON.parse('{"type":"ordr.placed","channel":"pagr"}') as { type: string; channel: string };
    const channels = [{ channel: parsed.channel, configs: {} as unknown }];
    await expect(webhooks.create({ name: 'w', eventTypes: [parsed.type], channels })).rejects.toMatchObject(
      refused,
    );
  });
});

const toRoom = { channel: 'chat', configs: { room: 'r' } } as const;

describe('other calls', () => {
  test('filters take the types of the catalog', async () => {
    const posthorn = application();
    expectTypeOf(posthorn.deliveries).not.toEqualTypeOf<Deliveries>();
    expectTypeOf(posthorn.replays).not.toEqualTypeOf<Replays>();
    await posthorn.deliveries.list({ eventType: 'order.placed' });
    // @ts-expect-error: order.plased
    await posthorn.deliveries.list({ eventType: 'order.plased' });
    // @ts-expect-error: order.plased
    await posthorn.deliveries.listUndelivered({ eventType: 'order.plased' });
    // @ts-expect-error: order.plased
    await posthorn.deliveries.stats({ eventType: 'order.plased' });
    // @ts-expect-error: order.plased
    await posthorn.events.list({ type: 'order.plased' });
    // @ts-expect-error: order.plased
    await posthorn.replays.count({ eventType: 'order.plased' });
    // @ts-expect-error: order.plased
    await posthorn.webhooks.list({ eventType: 'order.plased' });
  });

  test('listeners get the types of the catalog and of the channels', () => {
    application().on('delivery:dead', ({ eventType, channel }) => {
      expectTypeOf(eventType).toEqualTypeOf<'order.placed' | 'order.line.added'>();
      expectTypeOf(channel).toEqualTypeOf<'pager' | 'chat' | null>();
    });
    application().on('event:dispatched', ({ event }) => {
      expectTypeOf(event.type).toEqualTypeOf<'order.placed' | 'order.line.added'>();
    });
  });

  test('a loop over names of announcements needs no annotation', async () => {
    const posthorn = application();
    const seen: string[] = [];
    for (const name of ['delivery:delivered', 'delivery:failed', 'delivery:dead'] as const) {
      posthorn.on(name, ({ eventType }) => void seen.push(`${name} ${eventType}`));
    }
    await posthorn.webhooks.create(w);
    await posthorn.dispatch('order.placed', { orderId: 'o1' });
    await posthorn.drain();
    expect(seen).toEqual(['delivery:delivered order.placed']);
  });
});

describe('a dispatcher of any catalog and channels', () => {
  test('is one where only its transaction is asked for', () => {
    interface Transaction {
      readonly query: (text: string) => Promise<unknown>;
    }
    const storage = memoryStorage() as StorageAdapter<never> as StorageAdapter<Transaction>;
    const posthorn = createDispatcher({ storage, channels: [pager, chat], events });
    const plain = createDispatcher({ storage, channels: [pager] });
    const wide: readonly Dispatcher<Transaction>[] = [posthorn, plain, application()];
    const wider: Dispatcher = posthorn;

    expect([...wide, wider]).toHaveLength(4);
    expectTypeOf<Parameters<Dispatcher<Transaction>['dispatch']>[0]>().toEqualTypeOf<string>();
  });

  test('takes any event type and any configs, and leaves them to the checks', () => {
    expectTypeOf<Parameters<Webhooks['create']>[0]['eventTypes']>().toEqualTypeOf<readonly string[]>();
    expectTypeOf<Parameters<Webhooks['create']>[0]['channels'][number]['configs']>().toEqualTypeOf<unknown>();
  });
});

import { createDispatcher, type Delivery } from '@posthorn/core';
import { gone, rejected } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';

const toAll = { name: 'all', eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] };
const nowhere = `rpl_${'0'.repeat(22)}`;

/** A dispatcher with `count` dead deliveries, whose receiver works again. */
async function withDead(count: number) {
  const channel = recordingChannel();
  const dispatcher = testDispatcher({ channels: [channel] });
  const webhook = await dispatcher.webhooks.create(toAll);
  channel.answerWith(() => rejected('http_status', 'never'));
  await dispatcher.dispatchMany(
    Array.from({ length: count }, (_, i) => ({ type: 'order.created', payload: i })),
  );
  await dispatcher.drain();
  channel.reset();
  const all = async (): Promise<readonly Delivery[]> =>
    (await dispatcher.deliveries.list({ limit: 1_000 })).items;
  return { channel, dispatcher, webhook, all };
}

describe('a replay', () => {
  test('restarts dead deliveries, and no others', async () => {
    const { channel, dispatcher, webhook, all } = await withDead(3);
    await dispatcher.dispatch('order.created', 'is delivered');
    await dispatcher.drain();
    await dispatcher.webhooks.update(webhook.id, { isActive: false });
    await dispatcher.webhooks.update(webhook.id, { isActive: true });
    channel.reset();
    const created = await dispatcher.replays.create();
    expect(created).toMatchObject({ tenantId: 'default', status: 'running', replayed: 0, skipped: 0 });
    expect(created.perSecond).toBe(100);
    await dispatcher.advance('1s');
    expect(channel.deliveries.map(({ payload }) => payload).sort()).toEqual([0, 1, 2]);
    expect((await all()).map(({ status, attempts }) => `${status} ${attempts}`).sort()).toEqual([
      'delivered 1',
      'delivered 2',
      'delivered 2',
      'delivered 2',
    ]);
    expect(await dispatcher.replays.get(created.id)).toMatchObject({
      status: 'done',
      replayed: 3,
      skipped: 0,
      finishedAt: expect.any(Date),
    });
  });

  test('is announced in its final state when it ends', async () => {
    const { dispatcher } = await withDead(3);
    const finished: unknown[] = [];
    dispatcher.on('replay:finished', (replay) => void finished.push(replay));
    const { id } = await dispatcher.replays.create({ perSecond: 1 });
    await dispatcher.advance('1s');
    expect(finished).toEqual([]);
    await dispatcher.advance('1m');
    expect(finished).toEqual([await dispatcher.replays.get(id)]);
    expect(finished).toMatchObject([{ id, status: 'done', replayed: 3 }]);
  });

  test('ignores deliveries that die after it was created', async () => {
    const { channel, dispatcher } = await withDead(2);
    await dispatcher.replays.create({ perSecond: 1 });
    await dispatcher.advance(1);
    channel.failNext(1, rejected('http_status', 'never'));
    await dispatcher.dispatch('order.created', 'later');
    await dispatcher.advance('1m');
    expect(channel.attempts.filter(({ payload }) => payload === 'later')).toHaveLength(1);
    expect(channel.deliveries).toHaveLength(2);
  });

  test('that is cancelled restarts no more deliveries, and those already restarted go on', async () => {
    const { channel, dispatcher, all } = await withDead(10);
    const { id } = await dispatcher.replays.create({ perSecond: 2 });
    await dispatcher.advance('1s');
    const cancelled = await dispatcher.replays.cancel(id);
    expect(cancelled).toMatchObject({ status: 'cancelled', replayed: 3, finishedAt: expect.any(Date) });
    await dispatcher.advance('1h');
    expect(channel.deliveries).toHaveLength(3);
    expect((await all()).filter(({ status }) => status === 'dead')).toHaveLength(7);
    expect(await dispatcher.replays.get(id)).toEqual(cancelled);
  });

  test('that has ended is not changed by a cancel', async () => {
    const { dispatcher } = await withDead(1);
    const { id } = await dispatcher.replays.create();
    await dispatcher.drain();
    const done = await dispatcher.replays.get(id);
    await dispatcher.advance('1h');
    expect(await dispatcher.replays.cancel(id)).toEqual(done);
    expect(done.status).toBe('done');
  });

  test('is visible to its tenant only, and only its tenant can cancel it', async () => {
    const { dispatcher } = await withDead(1);
    const { id } = await dispatcher.replays.create({ tenantId: 'acme' });
    for (const call of [dispatcher.replays.get, dispatcher.replays.cancel]) {
      for (const tenantId of ['default', 'Acme', '__proto__']) {
        await expect(call(id, { tenantId })).rejects.toMatchObject({ code: 'not_found' });
      }
      for (const odd of [nowhere, '', 'rpl_\0', 7, undefined, null, ['rpl_']]) {
        await expect(call(odd as never, { tenantId: 'acme' })).rejects.toMatchObject({ code: 'not_found' });
      }
      await expect(call(id, { tenant: 'acme' } as never)).rejects.toMatchObject({ code: 'invalid_option' });
    }
    expect(await dispatcher.replays.get(id, { tenantId: 'acme' })).toMatchObject({ status: 'running' });
  });
});

describe('a filter', () => {
  /** Deliveries of two tenants, webhooks, types, and minutes, in each final status. */
  async function variety() {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel] });
    channel.answerWith(({ payload }) =>
      payload === 'dead' ? rejected('http_status', 'never') : { outcome: 'delivered' },
    );
    const one = await dispatcher.webhooks.create(toAll);
    await dispatcher.webhooks.create(toAll);
    await dispatcher.webhooks.create({ ...toAll, tenantId: 'acme' });
    const begin = dispatcher.clock.now();
    for (const type of ['order.created', 'order.shipped']) {
      for (const payload of ['dead', 'delivered', 'cancelled']) {
        for (const tenantId of ['default', 'acme']) {
          await dispatcher.dispatch(type, payload, { tenantId });
          const { items } = await dispatcher.deliveries.list({ tenantId, status: ['pending'] });
          for (const { id } of payload === 'cancelled' ? items : []) {
            await dispatcher.deliveries.cancel(id, { tenantId });
          }
        }
        await dispatcher.drain();
        dispatcher.clock.advance('1m');
      }
    }
    const minute = (count: number): Date => new Date(begin + count * 60_000);
    return { channel, dispatcher, webhookId: one.id, minute };
  }

  test.each([
    ['no filter: every dead delivery', 4, () => ({})],
    ['several statuses, one of them twice', 8, () => ({ status: ['dead', 'cancelled', 'dead'] as const })],
    ['delivered deliveries', 4, () => ({ status: ['delivered'] as const })],
    ['a type', 2, () => ({ eventType: 'order.shipped' })],
    ['a webhook', 2, ({ webhookId }: { webhookId: string }) => ({ webhookId })],
    ['`from`, which is inclusive', 2, ({ minute }) => ({ from: minute(3) })],
    ['`from` a millisecond later', 0, ({ minute }) => ({ from: new Date(+minute(3) + 1) })],
    ['`to`, which is exclusive', 2, ({ minute }) => ({ to: minute(3) })],
    ['`to` in the future', 4, () => ({ to: new Date('2999-01-01') })],
    ['another tenant', 1, () => ({ tenantId: 'acme', eventType: 'order.created' })],
    [
      'all at once',
      1,
      ({ minute, webhookId }) => ({ eventType: 'order.created', webhookId, from: minute(0), to: minute(1) }),
    ],
  ] as [string, number, (given: Awaited<ReturnType<typeof variety>>) => object][])(
    'with %s: a dry run counts the deliveries that it then restarts',
    async (_, expected, filterOf) => {
      const given = await variety();
      const { channel, dispatcher } = given;
      const filter = filterOf(given);
      expect(await dispatcher.replays.count(filter)).toBe(expected);
      channel.reset();
      const { id, tenantId } = await dispatcher.replays.create(filter);
      await dispatcher.advance('1m');
      expect(channel.attempts).toHaveLength(expected);
      expect(await dispatcher.replays.get(id, { tenantId })).toMatchObject({
        status: 'done',
        replayed: expected,
        skipped: 0,
      });
    },
  );

  test('of a webhook of another tenant is not_found, and nothing is stored', async () => {
    const { dispatcher, webhook } = await withDead(1);
    const missing = [{ webhookId: 'wh_0123456789' }, { webhookId: webhook.id, tenantId: 'acme' }];
    for (const filter of missing) {
      await expect(dispatcher.replays.count(filter)).rejects.toMatchObject({ code: 'not_found' });
      await expect(dispatcher.replays.create(filter)).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  const future = new Date('2999-01-01');
  test.each([
    ['no object', 7],
    ['an unknown name', { stauts: ['dead'] }],
    ['an empty list of statuses', { status: [] }],
    ['a status that is not final', { status: ['sending'] }],
    ['a status that is not a list', { status: 'dead' }],
    ['a pattern for a type', { eventType: 'order.*' }],
    ['a malformed webhook id', { webhookId: 'orders' }],
    ['a time that is not a Date', { from: '2026-01-01' }],
    ['a time that is an invalid Date', { to: new Date('x') }],
    ['a time before 1970', { from: new Date(-1) }],
    ['`to` equal to `from`', { from: new Date(1), to: new Date(1) }],
    ['`from` in the future', { from: future }],
    ['`from` and `to` in the future', { from: future, to: new Date('2999-01-02') }],
    ['a tenant without a name', { tenantId: '' }],
    ['a rate that is null', { perSecond: null }],
    ['a rate of 0', { perSecond: 0 }],
    ['a rate that is not a whole number', { perSecond: 1.5 }],
    ['a rate beyond the limit', { perSecond: 10_001 }],
  ])('is refused with %s', async (_, options) => {
    const { dispatcher } = await withDead(1);
    await expect(dispatcher.replays.create(options as never)).rejects.toMatchObject({
      code: 'invalid_option',
    });
    await expect(dispatcher.replays.count(options as never)).rejects.toMatchObject({
      code: 'invalid_option',
    });
  });

  test('reads no option from a polluted prototype', async () => {
    const { dispatcher } = await withDead(1);
    Object.assign(Object.prototype, { tenantId: 'acme' });
    try {
      expect(await dispatcher.replays.count({})).toBe(1);
      const { id, tenantId } = await dispatcher.replays.create({});
      expect(tenantId).toBe('default');
      expect((await dispatcher.replays.cancel(id, {})).status).toBe('cancelled');
    } finally {
      delete (Object.prototype as { tenantId?: string }).tenantId;
    }
  });
});

describe('a storage', () => {
  test('without support for replays is refused with the remedy, and delivers as usual', async () => {
    const memory = memoryStorage();
    const { backfill, ...deliveries } = memory.deliveries;
    const channel = recordingChannel();
    const storage = { ...memory, deliveries, supports: { documents: true } };
    const dispatcher = createDispatcher({ storage, channels: [channel] });
    await dispatcher.webhooks.create(toAll);
    const refused = {
      code: 'invalid_option',
      message: expect.stringMatching(/does not support replays: use .*deliveries\.retry/),
    };
    await expect(dispatcher.replays.create()).rejects.toMatchObject(refused);
    await expect(dispatcher.replays.count()).rejects.toMatchObject(refused);
    await expect(dispatcher.replays.get(nowhere)).rejects.toMatchObject(refused);
    await expect(dispatcher.replays.cancel(nowhere)).rejects.toMatchObject(refused);
    dispatcher.start();
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    await dispatcher.stop();
    expect(channel.deliveries).toHaveLength(1);
  });
});

describe('a replay of what was missed', () => {
  /** A webhook that its receiver disables with 410, and events that are published while it is disabled. */
  async function night(count: number) {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel] });
    const webhook = await dispatcher.webhooks.create(toAll);
    channel.failNext(1, gone('http_status', 'answered 410'));
    await dispatcher.dispatch('order.created', 'gone');
    await dispatcher.drain();
    const from = new Date(dispatcher.clock.now() + 1);
    await dispatcher.advance('1h');
    const missed: string[] = [];
    for (let i = 0; i < count; i++) {
      missed.push((await dispatcher.dispatch('order.created', i)).eventId);
      await dispatcher.advance(1);
    }
    const { missed: told } = await dispatcher.events.explain(missed[0] ?? '').catch(() => ({ missed: [] }));
    await dispatcher.webhooks.update(webhook.id, { isActive: true });
    return { channel, dispatcher, webhook, from, missed, told };
  }

  test('creates each delivery once, oldest first, at its rate, and counts what it will create', async () => {
    const { channel, dispatcher, webhook, from, missed, told } = await night(10);
    expect(told).toMatchObject([{ reason: 'disabled', message: expect.stringContaining('answered 410') }]);
    const filter = { missed: true, from, webhookId: webhook.id };
    expect(await dispatcher.replays.count(filter)).toBe(10);
    expect(channel.deliveries).toEqual([]);
    const { id, selection } = await dispatcher.replays.create({ ...filter, perSecond: 2 });
    expect(selection).toMatchObject({ isMissed: true, status: [] });
    await dispatcher.advance('1s');
    expect(channel.deliveries.map(({ message }) => message.event.id)).toEqual(missed.slice(0, 3));
    await dispatcher.advance('1m');
    expect(channel.deliveries.map(({ message }) => message.event.id)).toEqual(missed);
    expect(await dispatcher.replays.get(id)).toMatchObject({ status: 'done', replayed: 10, skipped: 0 });
    expect(await dispatcher.replays.count(filter)).toBe(0);
    await dispatcher.replays.create(filter);
    await dispatcher.advance('1m');
    expect(channel.deliveries).toHaveLength(10);
  });

  test.each([
    [{ missed: true }, 'needs from'],
    [{ missed: true, from: new Date(0), status: ['dead'] as const }, 'not both'],
    [{ missed: 'yes', from: new Date(0) }, 'missed'],
    [{ status: ['sending'] }, 'status'],
  ])('refuses %j', async (options, why) => {
    const { dispatcher } = await night(0);
    const refused = { code: 'invalid_option', message: expect.stringContaining(why) };
    await expect(dispatcher.replays.create(options as object)).rejects.toMatchObject(refused);
    await expect(dispatcher.replays.count(options as object)).rejects.toMatchObject(refused);
  });
});

test('a replay of pending deliveries makes them due now, on the same schedule', async () => {
  const channel = recordingChannel();
  const retry = { schedule: ['1h', '2h'], jitter: 0 } as const;
  const dispatcher = testDispatcher({ channels: [channel], retry });
  await dispatcher.webhooks.create(toAll);
  channel.failNext(3);
  for (let i = 0; i < 3; i++) await dispatcher.dispatch('order.created', i);
  await dispatcher.drain();
  expect(await dispatcher.replays.count({ status: ['pending'] })).toBe(3);
  channel.failNext(1);
  const { id } = await dispatcher.replays.create({ status: ['pending'] });
  await dispatcher.advance('1s');
  expect(channel.deliveries).toHaveLength(2);
  expect(await dispatcher.replays.get(id)).toMatchObject({ status: 'done', replayed: 3 });
  const [failed] = (await dispatcher.deliveries.list({ status: ['pending'] })).items;
  expect(failed).toMatchObject({ attempts: 2, attemptsBeforeRetry: 0 });
  await dispatcher.advance('2h');
  expect(channel.deliveries).toHaveLength(3);
});

test('a replay of pending deliveries skips those that gather in a digest, and counts them as skipped', async () => {
  const channel = recordingChannel();
  const dispatcher = testDispatcher({ channels: [{ ...channel, supportsDigests: true }] });
  const [binding] = toAll.channels;
  await dispatcher.webhooks.create({ ...toAll, channels: [{ ...binding!, digest: { window: '10m' } }] });
  for (let i = 0; i < 3; i++) await dispatcher.dispatch('order.created', i);
  const { id } = await dispatcher.replays.create({ status: ['pending'] });
  await dispatcher.advance('9m');
  expect(await dispatcher.replays.get(id)).toMatchObject({ status: 'done', replayed: 0, skipped: 3 });
  expect(channel.deliveries).toEqual([]);
  await dispatcher.advance('1m');
  expect(channel.deliveries).toHaveLength(1);
});

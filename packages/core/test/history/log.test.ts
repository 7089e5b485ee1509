import { type Channel, createDispatcher } from '@posthorn/core';
import { delivered, rejected } from '@posthorn/core/channel';
import { createIds } from '@posthorn/core/storage';
import { memoryStorage } from '@posthorn/storage-memory';
import { testDispatcher } from '@posthorn/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';

const hourMs = 3_600_000;

/** Delivers everything, except to bindings that are to refuse. */
const judging: Channel<{ refuses?: boolean | undefined }> = {
  type: 'judging',
  config: z.strictObject({ refuses: z.boolean().optional() }),
  send: async ({ configs }) =>
    configs.refuses ? rejected('http_status', 'no', { status: 400 }) : delivered(),
};

const application = () => testDispatcher({ channels: [judging] });
type Application = ReturnType<typeof application>;

const webhook = (app: Application, overrides: { refuses?: boolean; tenantId?: string } = {}) => {
  const { refuses = false, ...rest } = overrides;
  return app.webhooks.create({
    name: 'w',
    eventTypes: ['*'],
    channels: [{ channel: 'judging', configs: { refuses } }],
    ...rest,
  });
};

/** Dispatches one event an hour of these types, the first one now. */
async function hourly(app: Application, types: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const type of types) {
    ids.push((await app.dispatch(type, {})).eventId);
    await app.advance(hourMs);
  }
  return ids;
}

const idsOf = ({ items }: { items: readonly { id: string }[] }) => items.map(({ id }) => id);
const eventIdsOf = ({ items }: { items: readonly { eventId: string }[] }) =>
  items.map(({ eventId }) => eventId);
const at = (app: Application, ms: number) => new Date(app.clock.now() + ms);

afterEach(() => {
  for (const name of ['from', 'to', 'eventId', 'status', 'tenantId', 'buckets', 'version', 'offset']) {
    delete (Object.prototype as Record<string, unknown>)[name];
  }
});

describe('a list of deliveries', () => {
  test('covers the time from `from`, inclusive, to `to`, exclusive', async () => {
    const app = application();
    await webhook(app);
    const start = app.clock.now();
    const [first, second, third] = await hourly(app, ['a', 'b', 'a']);
    const [from, to] = [new Date(start + hourMs), new Date(start + 2 * hourMs)];
    for (const [range, wanted] of [
      [{}, [third, second, first]],
      [{ from }, [third, second]],
      [{ to }, [second, first]],
      [{ from, to }, [second]],
      [{ from: new Date(from.getTime() + 1), to }, []],
      [{ from, to: from }, []],
      [{ from: new Date(-8.64e15), to: new Date(8.64e15) }, [third, second, first]],
      [{ to: new Date(0) }, []],
    ] as const) {
      expect(idsOf(await app.events.list(range)), JSON.stringify(range)).toEqual(wanted);
      expect(eventIdsOf(await app.deliveries.list(range))).toEqual(wanted);
    }
    expect(idsOf(await app.events.list({ from: new Date(start), type: 'a' }))).toEqual([third, first]);
    expect(eventIdsOf(await app.deliveries.list({ to, eventType: 'a' }))).toEqual([first]);
  });

  test('is filtered by event, type, webhook and status, page by page', async () => {
    const app = application();
    const good = await webhook(app);
    const bad = await webhook(app, { refuses: true });
    const ids = await hourly(app, ['a', 'b', 'a', 'b']);
    const { list } = app.deliveries;
    expect(eventIdsOf(await list({ webhookId: bad.id, status: ['dead'] }))).toEqual([...ids].reverse());
    expect(eventIdsOf(await list({ webhookId: good.id, status: ['dead'] }))).toEqual([]);
    expect(eventIdsOf(await list({ eventId: ids[1]!, status: ['delivered', 'pending'] }))).toEqual([ids[1]]);
    expect(eventIdsOf(await list({ status: [] }))).toEqual([]);
    const filter = { eventType: 'b', webhookId: good.id, limit: 1 };
    const first = await list(filter);
    expect(eventIdsOf(first)).toEqual([ids[3]]);
    expect(eventIdsOf(await list({ ...filter, cursor: first.nextCursor! }))).toEqual([ids[1]]);
  });

  test('holds what ended without success, with listUndelivered', async () => {
    const app = application();
    await webhook(app);
    const bad = await webhook(app, { refuses: true });
    const paused = await webhook(app);
    const start = app.clock.now();
    const [first, second] = await hourly(app, ['a', 'b']);
    await app.webhooks.update(paused.id, { isActive: false });
    const waiting = (await app.dispatch('a', {})).eventId;
    const { listUndelivered, list, cancel } = app.deliveries;
    const one = (await list({ eventId: waiting, webhookId: bad.id })).items[0]!;
    await cancel(one.id);
    expect(eventIdsOf(await listUndelivered())).toEqual([waiting, second, first]);
    expect((await listUndelivered()).items.map(({ status }) => status)).toEqual([
      'cancelled',
      'dead',
      'dead',
    ]);
    expect(eventIdsOf(await listUndelivered({ eventType: 'a', to: new Date(start + 1) }))).toEqual([first]);
    expect(eventIdsOf(await listUndelivered({ webhookId: paused.id }))).toEqual([]);
    expect(eventIdsOf(await listUndelivered({ limit: 2 }))).toEqual([waiting, second]);
    await expect(listUndelivered({ status: ['pending'] } as never)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('status'),
    });
    expect(eventIdsOf(await listUndelivered({ tenantId: 'another' }))).toEqual([]);
  });
});

describe('statistics', () => {
  test('cover the last 24 hours in 24 buckets, including this very moment', async () => {
    const app = application();
    await webhook(app);
    await webhook(app, { refuses: true });
    await app.dispatch('a', {});
    await app.drain();
    await app.advance('30h');
    await app.dispatch('a', {});
    await app.advance('2h');
    await app.dispatch('b', {});
    const stats = await app.deliveries.stats();
    const end = app.clock.now() + 1;
    expect([stats.from, stats.to]).toEqual([new Date(end - 24 * hourMs), new Date(end)]);
    expect(stats.total).toEqual({ pending: 2, sending: 0, delivered: 1, dead: 1, cancelled: 0 });
    expect(stats.buckets).toHaveLength(24);
    for (const [i, { from, to, counts }] of stats.buckets.entries()) {
      expect([from, to]).toEqual([new Date(end - (24 - i) * hourMs), new Date(end - (23 - i) * hourMs)]);
      expect(counts.pending, `bucket ${i}`).toBe(i === 23 ? 2 : 0);
      expect(counts.delivered, `bucket ${i}`).toBe(i === 21 ? 1 : 0);
      expect(counts.dead, `bucket ${i}`).toBe(i === 21 ? 1 : 0);
    }
  });

  test('include the first instant of a bucket and exclude its end', async () => {
    const app = application();
    const { id: webhookId } = await webhook(app);
    await webhook(app, { tenantId: 'another' });
    await webhook(app, { refuses: true });
    const start = app.clock.now();
    await hourly(app, ['a', 'a', 'b', 'a']);
    const [from, to] = [new Date(start), new Date(start + 3 * hourMs)];
    const counted = async (options: object) => {
      const { total, buckets } = await app.deliveries.stats({ from, to, buckets: 3, ...options });
      return [total.delivered, ...buckets.map(({ counts }) => counts.delivered)];
    };
    expect(await counted({})).toEqual([3, 1, 1, 1]);
    expect(await counted({ eventType: 'a' })).toEqual([2, 1, 1, 0]);
    expect(await counted({ webhookId, eventType: 'b' })).toEqual([1, 0, 0, 1]);
    expect(await counted({ buckets: 1 })).toEqual([3, 3]);
    expect(await counted({ tenantId: 'another' })).toEqual([0, 0, 0, 0]);
    // Where only one bound is given, the other one is a day away.
    expect((await app.deliveries.stats({ to })).from).toEqual(new Date(to.getTime() - 24 * hourMs));
    expect((await app.deliveries.stats({ from })).to).toEqual(at(app, 1));
  });

  test('have adjacent buckets of the same length, to the millisecond', async () => {
    const { deliveries } = application();
    const { buckets } = await deliveries.stats({ from: new Date(0), to: new Date(10_000), buckets: 499 });
    expect(buckets).toHaveLength(499);
    expect(buckets[0]!.from).toEqual(new Date(0));
    expect(buckets.at(-1)!.to).toEqual(new Date(10_000));
    for (const [i, { from, to }] of buckets.entries()) {
      expect(to.getTime() - from.getTime()).toBeGreaterThanOrEqual(20);
      expect(to.getTime() - from.getTime()).toBeLessThanOrEqual(21);
      if (i > 0) expect(from).toEqual(buckets[i - 1]!.to);
    }
  });

  test.each<[string, object]>([
    ['no buckets', { buckets: 0 }],
    ['501 buckets', { buckets: 501 }],
    ['half a bucket', { buckets: 1.5 }],
    ['buckets in words', { buckets: '24' }],
    ['no time at all', { from: new Date(5), to: new Date(5), buckets: 1 }],
    ['an end before the start', { from: new Date(6), to: new Date(5) }],
    ['less than a millisecond a bucket', { from: new Date(0), to: new Date(23) }],
    ['a status', { status: ['dead'] }],
    ['an event', { eventId: 'evt_0123456789012345678901' }],
  ])('refuse %s', async (_, options) => {
    const { deliveries } = application();
    await expect(deliveries.stats(options as never)).rejects.toMatchObject({ code: 'invalid_option' });
  });
});

describe('the options of the log', () => {
  const { webhooks, events, deliveries } = application();
  const calls: Record<string, (options: object) => Promise<unknown>> = {
    'events.list': (options) => events.list(options),
    'deliveries.list': (options) => deliveries.list(options),
    'deliveries.listUndelivered': (options) => deliveries.listUndelivered(options),
    'deliveries.stats': (options) => deliveries.stats(options),
    'webhooks.list': (options) => webhooks.list(options),
  };
  const timed = Object.keys(calls).slice(0, 4);

  test.each(
    timed.flatMap((name) =>
      [
        { from: new Date(Number.NaN) },
        { to: new Date('x') },
        { from: '2026-11-23T00:00:00Z' },
        { to: 1_764_000_000_000 },
        { from: null },
        { from: new Date(2), to: new Date(1) },
      ].map((options): [string, object] => [name, options]),
    ),
  )('%s refuses an invalid time: %o', async (name, options) => {
    await expect(calls[name]!(options)).rejects.toMatchObject({ code: 'invalid_option' });
  });

  test.each<[string, object]>([
    ['events.list', { type: 'order.*' }],
    ['events.list', { type: 7 }],
    ['events.list', { eventType: 'a' }],
    ['deliveries.list', { status: 'dead' }],
    ['deliveries.list', { status: ['dead', 'gone'] }],
    ['deliveries.list', { status: {} }],
    ['deliveries.list', { eventType: '' }],
    ['deliveries.list', { eventId: 'evt_1' }],
    ['deliveries.list', { webhookId: 7 }],
    ['deliveries.list', { webhookID: 'wh_0123456789' }],
    ['deliveries.list', { withTotal: true }],
    ['deliveries.listUndelivered', { webhookId: 'wh_0\u0000' }],
    ['deliveries.stats', { eventType: 'a b' }],
    ['webhooks.list', { offset: -1 }],
    ['webhooks.list', { offset: 10_001 }],
    ['webhooks.list', { offset: '3' }],
    ['webhooks.list', { offset: 1.5 }],
    ['webhooks.list', { name: '' }],
    ['webhooks.list', { name: 7 }],
    ['webhooks.list', { withTotal: 'yes' }],
    ['webhooks.list', { isActive: 'no' }],
    ['webhooks.list', { names: 'a' }],
  ])('%s refuses %o', async (name, options) => {
    await expect(calls[name]!(options)).rejects.toMatchObject({ code: 'invalid_option' });
  });

  test.each(Object.keys(calls))('%s reads the caller’s own properties only', async (name) => {
    const expected = await calls[name]!({});
    // An inherited property would have been refused.
    for (const option of ['from', 'to', 'eventId', 'status', 'buckets', 'offset']) {
      Object.defineProperty(Object.prototype, option, {
        value: 'polluted',
        configurable: true,
        writable: true,
      });
    }
    await expect(calls[name]!({})).resolves.toEqual(expected);
  });
});

describe('the storage', () => {
  test('gets the times as bounds of event ids, and only the filters that were given', async () => {
    const storage = memoryStorage();
    const asked: unknown[] = [];
    const { deliveries } = createDispatcher({
      channels: [judging],
      storage: {
        ...storage,
        log: {
          ...storage.log,
          async deliveries(_, filter) {
            asked.push(filter);
            return { items: [], nextCursor: null };
          },
        },
      },
    });
    await deliveries.list({ limit: 7 });
    const now = 1_764_000_000_000;
    await deliveries.list({ from: new Date(now), to: new Date(now + 1), status: ['dead'] });
    const first = createIds({ now: () => now }).event();
    const next = createIds({ now: () => now + 1 }).event();
    const { fromEventId, beforeEventId, ...rest } = asked[1] as Record<string, string>;
    expect(asked[0]).toEqual({ limit: 7 });
    expect(rest).toEqual({ limit: 50, status: ['dead'] });
    expect(fromEventId! <= first && first < beforeEventId! && beforeEventId! <= next).toBe(true);
  });
});

import type { Delivery } from '@posthorn/core';
import type { DeliverySelection } from '@posthorn/core/storage';
import {
  beginAttempt,
  checkCursor,
  type DeliveryState,
  digestLimits,
  digestSize,
  finish,
  isDigestFull,
  isListed,
  isSelected,
  keyRetentionMs,
  lease,
  newState,
  repeatedResult,
  restart,
  settle,
} from '@posthorn/core/storage';
import { describe, expect, test } from 'vitest';

/* What storages share. The conformance suite proves it with each of them; here are the edges. */

const attempt = { id: 'att_1' } as never;
const leased = (state: DeliveryState, now: number, isBegun = false) =>
  lease(state, { token: 't', now, until: now + 100, isBegun });

describe('the states of a delivery', () => {
  test('only a first attempt begins with its lease', () => {
    expect(leased(newState(0), 10, true)).toMatchObject({ attempts: 1, begunAt: 10, at: 110, token: 't' });
    expect(leased(newState(0), 10)).toMatchObject({ attempts: 0, begunAt: null });
    const tried = { ...newState(0), attempts: 1 };
    expect(leased(tried, 10, true)).toMatchObject({ attempts: 1, begunAt: null });
    expect(leased(restart(tried, 5), 10, true)).toMatchObject({ attempts: 2, begunAt: 10 });
  });

  test('an attempt that begins a second time is counted once', () => {
    const begun = beginAttempt(leased(newState(0), 10), 20);
    expect(beginAttempt(begun, 30)).toBe(begun);
    expect(begun).toMatchObject({ attempts: 1, begunAt: 20 });
  });

  test('an attempt that was never settled is lost until a result other than released', () => {
    const begun = beginAttempt(leased(newState(0), 10), 20);
    const again = leased(begun, 200);
    expect(again).toMatchObject({ lostAt: 20, begunAt: null });
    const released = settle(again, { next: { status: 'released' } }, 210);
    expect(released).toMatchObject({ status: 'pending', at: 210, lostAt: 20, attempts: 1, token: null });
    const failed = settle(leased(released, 220), { next: { status: 'pending', delayMs: 50 }, attempt }, 230);
    expect(failed).toMatchObject({ lostAt: null, at: 280 });
  });

  test('an attempt that sent nothing is not counted', () => {
    const begun = beginAttempt(leased(newState(0), 10), 20);
    expect(settle(begun, { next: { status: 'released' } }, 30).attempts).toBe(0);
    expect(settle(begun, { next: { status: 'dead' }, attempt }, 30).attempts).toBe(1);
  });

  test('it is put off since its first delay, later by the time for which it was due and unclaimed', () => {
    const put = settle(leased(newState(0), 10), { next: { status: 'released', delayMs: 100 } }, 20);
    expect(put.deferredSince).toBe(20);
    // Due at 120, and claimed 30 later.
    const claimed = leased(put, 150);
    expect(claimed.deferredSince).toBe(50);
    const busy = { status: 'pending', delayMs: 10, isRateLimited: true } as const;
    expect(settle(claimed, { next: busy, attempt }, 160).deferredSince).toBe(50);
    expect(
      settle(claimed, { next: { status: 'pending', delayMs: 10 }, attempt }, 160).deferredSince,
    ).toBeNull();
    expect(restart(claimed, 160).deferredSince).toBeNull();
  });

  test('a checkpoint stays until another takes its place, and goes when it is delivered', () => {
    const first = settle(
      leased(newState(0), 10),
      { next: { status: 'pending', delayMs: 0, checkpoint: 'a' } },
      20,
    );
    const second = settle(leased(first, 30), { next: { status: 'dead' }, attempt }, 40);
    expect([first.checkpoint, second.checkpoint, finish(second, 'delivered', 50).checkpoint]).toEqual([
      'a',
      'a',
      undefined,
    ]);
  });

  test('what is split is due at once, with a new schedule', () => {
    const begun = beginAttempt(leased({ ...newState(0), uncounted: 2 }, 10), 20);
    expect(settle(begun, { next: { status: 'split' }, attempt }, 30)).toMatchObject({
      status: 'pending',
      at: 30,
      attempts: 1,
      attemptsBeforeRetry: 1,
      uncounted: 0,
      yields: true,
    });
  });
});

describe('digests', () => {
  const limits = { maxEvents: 3, maxBytes: 100 };

  test.each([
    [[10, 10], 2],
    [[10, 10, 10, 10], 3],
    [[60, 40, 1], 2],
    [[101], 1],
    [[101, 1], 1],
    [[], 0],
  ])('of payloads of %j bytes the first %i are one', (bytes, size) => {
    expect(digestSize(bytes, limits)).toBe(size);
  });

  test('one is full with as many events or as many bytes as its limits', () => {
    const all = { windowMs: 1_000, ...limits };
    expect(isDigestFull({ count: 2, bytes: 99 }, all)).toBe(false);
    expect(isDigestFull({ count: 3, bytes: 0 }, all)).toBe(true);
    expect(isDigestFull({ count: 1, bytes: 100 }, all)).toBe(true);
  });

  test('a binding without one, or no binding, has no limits', () => {
    expect(digestLimits({})).toBeUndefined();
    expect(digestLimits(undefined)).toBeUndefined();
    const digest = { window: 60_000, maxEvents: 5 } as never;
    expect(digestLimits({ digest })).toEqual({ windowMs: 60_000, maxEvents: 5, maxBytes: 512 * 1024 });
  });
});

test('an idempotency key has its first result for 24 hours, and is refused for another event', () => {
  const published = { eventId: 'evt_1', deliveries: 2 };
  const remembered = { fingerprint: 'a', published, at: 1_000 };
  const event = { type: 'order.created', fingerprint: 'a' };
  expect(repeatedResult(event, undefined, 0)).toBeUndefined();
  expect(repeatedResult(event, remembered, 1_000 + keyRetentionMs)).toBe(published);
  expect(repeatedResult(event, remembered, 1_001 + keyRetentionMs)).toBeUndefined();
  expect(() => repeatedResult({ ...event, fingerprint: 'b' }, remembered, 2_000)).toThrow(
    expect.objectContaining({
      code: 'idempotency_conflict',
      message: expect.stringContaining('order.created'),
    }),
  );
});

test('a cursor of another form than those of the pages is refused', () => {
  expect(checkCursor(undefined, /^\d+$/)).toBeUndefined();
  expect(checkCursor('12', /^\d+$/)).toBe('12');
  expect(() => checkCursor('x', /^\d+$/)).toThrow(expect.objectContaining({ code: 'invalid_option' }));
});

test('a delivery is selected by all that is given', () => {
  const delivery = {
    eventId: 'evt_5',
    eventType: 'a',
    webhookId: 'wh_1',
    status: 'dead',
  } as unknown as Delivery;
  expect(isSelected(delivery, {})).toBe(true);
  expect(
    isSelected(delivery, { status: ['dead', 'pending'], fromEventId: 'evt_5', beforeEventId: 'evt_6' }),
  ).toBe(true);
  for (const other of [
    { eventId: 'evt_6' },
    { eventType: 'b' },
    { webhookId: 'wh_2' },
    { status: [] },
    { fromEventId: 'evt_6' },
    { beforeEventId: 'evt_5' },
  ]) {
    expect(isSelected(delivery, other as DeliverySelection)).toBe(false);
  }
});

test('a webhook is listed by all that is given', () => {
  const webhook = { name: 'Orders', isActive: true, eventTypes: ['order.*'] };
  expect(isListed(webhook, { name: 'Orders', isActive: true, keys: ['a', 'order.*'] })).toBe(true);
  expect(isListed(webhook, { name: 'orders' })).toBe(false);
  expect(isListed(webhook, { isActive: false })).toBe(false);
  expect(isListed(webhook, { keys: [] })).toBe(false);
});

import { type Duration, defaultSchedule } from '@posthorn/core';
import { delivered, failed, gone, rejected } from '@posthorn/core/channel';
import { toMs } from '@posthorn/core/schemas';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextState, retryPolicy } from '../../src/delivery/retry-policy.js';

const policy = retryPolicy();
const failure = (retryAfterMs?: number) =>
  failed('http_status', 'answered 503', retryAfterMs === undefined ? {} : { retryAfterMs });
const hour = 3_600_000;

describe('the retry schedule', () => {
  test('has ten waits, about 76 hours in total', () => {
    expect(policy.scheduleMs).toHaveLength(10);
    expect(policy.scheduleMs.reduce((sum, ms) => sum + ms, 0) / hour).toBeCloseTo(75.6, 1);
  });

  test('spreads each wait evenly over ± 20 %', () => {
    for (const [i, wait] of defaultSchedule.entries()) {
      const ms = toMs(wait, 'wait');
      expect(nextState(failure(), i + 1, policy, 0)).toEqual({
        status: 'pending',
        delayMs: Math.round(ms * 0.8),
      });
      expect(nextState(failure(), i + 1, policy, 0.5)).toEqual({ status: 'pending', delayMs: ms });
      expect(nextState(failure(), i + 1, policy, 1)).toEqual({
        status: 'pending',
        delayMs: Math.round(ms * 1.2),
      });
    }
  });

  test('ends in dead after the last wait', () => {
    expect(nextState(failure(), 11, policy, 0.5)).toEqual({ status: 'dead' });
    expect(nextState(failure(1_000), 11, policy, 0.5)).toEqual({ status: 'dead' });
  });

  test('is not used after a success, a rejection or a gone receiver', () => {
    expect(nextState(delivered(), 1, policy, 0)).toEqual({ status: 'delivered' });
    expect(nextState(rejected('http_status', 'never'), 1, policy, 0)).toEqual({ status: 'dead' });
    expect(nextState(gone('http_status', 'answered 410'), 1, policy, 0)).toEqual({ status: 'dead' });
  });
});

describe('Retry-After', () => {
  test.each([
    ['less than the wait', 1, 1_000, 5_000],
    ['between the wait and an hour', 1, 60_000, 60_000],
    ['more than an hour, at a short wait', 1, 999_999_999_000, hour],
    ['more than twice a long wait', 5, 999_999_999_000, 4 * hour],
    ['infinite', 5, Number.POSITIVE_INFINITY, 4 * hour],
    ['negative', 2, -5_000, 30_000],
    ['no number', 2, Number.NaN, 30_000],
  ])('%s is clamped', (_, tries, retryAfterMs, delayMs) => {
    expect(nextState(failure(retryAfterMs), tries, policy, Number.isNaN(retryAfterMs) ? 0.5 : 0)).toEqual({
      status: 'pending',
      delayMs,
    });
  });

  test('is spread upwards by up to 20 %, and never shortened', () => {
    const delays = [0, 0.5, 1].map((random) => nextState(failure(60_000), 1, policy, random));
    expect(delays).toEqual([60_000, 66_000, 72_000].map((delayMs) => ({ status: 'pending', delayMs })));
  });

  test('never gives a delay that is NaN, negative, or beyond the limits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.double(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (tries, ms, random) => {
          const next = nextState(failure(ms), tries, policy, random);
          const wait = policy.scheduleMs[tries - 1]!;
          if (next.status !== 'pending') return false;
          return next.delayMs >= Math.round(wait * 0.8) && next.delayMs <= 1.2 * Math.max(2 * wait, hour);
        },
      ),
    );
  });
});

describe('options', () => {
  test.each<[string, Parameters<typeof retryPolicy>[0]]>([
    ['a unit that does not exist', { schedule: ['5x' as Duration] }],
    ['a negative wait', { schedule: [-1] }],
    ['no number', { schedule: [Number.NaN] }],
    ['more than 30 days', { schedule: ['31d'] }],
    ['too many waits', { schedule: Array(101).fill(1) }],
    ['jitter above 1', { jitter: 1.1 }],
    ['jitter below 0', { jitter: -0.1 }],
  ])('%s is refused', (_, options) => {
    expect(() => retryPolicy(options)).toThrow(expect.objectContaining({ code: 'invalid_option' }));
  });

  test('durations are numbers of milliseconds, or a number with a unit', () => {
    expect([0, '250ms', '1.5s', '5m', '2h', '3d'].map((duration) => toMs(duration as Duration, 'x'))).toEqual(
      [0, 250, 1_500, 300_000, 7_200_000, 259_200_000],
    );
  });
});

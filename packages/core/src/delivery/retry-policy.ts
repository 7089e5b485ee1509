import type { Verdict } from '../channels/verdict.js';
import { type Duration, toMs } from '../duration.js';
import { PosthornError } from '../errors.js';
import type { NextState } from '../storage/next-state.js';
import { parseOptions } from '../validation.js';

/** When a failed delivery is retried. */
export interface RetryOptions {
  /** The wait after each failed attempt; one attempt more than there are waits. Default: {@link defaultSchedule}. */
  readonly schedule?: readonly Duration[];
  /** Each wait is spread evenly over `± jitter` of itself, 0 to 1. Default 0.2. */
  readonly jitter?: number;
}

/** What deliveries behind a failed one with the same ordering key do. */
export interface OrderingOptions {
  /**
   * `wait` until it is delivered, dead or cancelled, or `limit` is over; `skip`: go ahead while it waits for its retry.
   * Default `wait`.
   */
  readonly behindFailure?: 'wait' | 'skip';
  /** How long a failing delivery may hold up those behind it, by its retry schedule. Default 1 h. */
  readonly limit?: Duration;
}

/** How long a failing delivery blocks those behind it. Negative: they skip it. */
export interface OrderingPolicy {
  readonly limitMs: number;
}

/** The options, checked. Throws `invalid_option`. */
export function orderingPolicy(options: OrderingOptions = {}): OrderingPolicy {
  const known = ['behindFailure', 'limit'] as const;
  const { behindFailure = 'wait', limit = '1h' } = parseOptions(options, known, 'ordering');
  if (behindFailure !== 'wait' && behindFailure !== 'skip') {
    throw new PosthornError('invalid_option', "ordering.behindFailure must be 'wait' or 'skip'");
  }
  const limitMs = toMs(limit, 'ordering.limit');
  return { limitMs: behindFailure === 'wait' ? limitMs : -1 };
}

/** Ten waits, eleven attempts in about 76 hours: what Standard Webhooks 1.0.0 advises. */
export const defaultSchedule: readonly Duration[] = [
  '5s',
  '30s',
  '5m',
  '30m',
  '2h',
  '5h',
  '10h',
  '14h',
  '20h',
  '24h',
];

export interface RetryPolicy {
  readonly scheduleMs: readonly number[];
  readonly jitter: number;
}

const maxWaitMs = toMs('30d', 'maxWait');
const hourMs = toMs('1h', 'hour');

/** The options, checked. Throws `invalid_option`. */
export function retryPolicy(options: RetryOptions = {}): RetryPolicy {
  const { schedule = defaultSchedule, jitter = 0.2 } = parseOptions(options, ['schedule', 'jitter'], 'retry');
  if (!Array.isArray(schedule) || schedule.length > 100) {
    throw new PosthornError('invalid_option', 'retry.schedule must be an array of at most 100 durations');
  }
  if (typeof jitter !== 'number' || !(jitter >= 0 && jitter <= 1)) {
    throw new PosthornError('invalid_option', 'retry.jitter must be a number from 0 to 1');
  }
  const scheduleMs = schedule.map((wait, i) => toMs(wait, `retry.schedule[${i}]`));
  if (scheduleMs.some((ms) => ms > maxWaitMs)) {
    throw new PosthornError('invalid_option', 'retry.schedule must not hold waits of more than 30 days');
  }
  return { scheduleMs, jitter };
}

/**
 * The state of a delivery after a verdict. Pure.
 *
 * - `tries` counts the attempts of the present schedule, this one included.
 * - `random` is uniformly distributed in [0, 1).
 * - Retry-After is clamped to [wait, max(2 × wait, 1 h)] and lengthened by up to `jitter`, so that the deliveries that got
 *   it do not come back all at once.
 * - A rate limit counts as `failed` here.
 */
export function nextState(verdict: Verdict, tries: number, policy: RetryPolicy, random: number): NextState {
  if (verdict.outcome === 'delivered') return { status: 'delivered' };
  const waitMs = policy.scheduleMs[tries - 1];
  const isOver = verdict.outcome === 'rejected' || verdict.outcome === 'gone';
  if (isOver || waitMs === undefined) return { status: 'dead' };
  const { retryAfterMs } = verdict;
  if (retryAfterMs !== undefined && !Number.isNaN(retryAfterMs)) {
    const longest = Math.max(2 * waitMs, hourMs);
    const asked = Math.min(Math.max(retryAfterMs, waitMs), longest);
    return { status: 'pending', delayMs: Math.round(asked * (1 + policy.jitter * random)) };
  }
  return { status: 'pending', delayMs: Math.round(waitMs * (1 + policy.jitter * (2 * random - 1))) };
}

/** The longest wait after an attempt whose worker was lost: the receiver may have got it. */
const maxLostWaitMs = 30_000;

/**
 * As `nextState`, after `tries` attempts of which the last lost its worker. It waits, so that a delivery that crashes its
 * worker does not crash the same other deliveries each time.
 */
export function nextStateOfLost(tries: number, policy: RetryPolicy, random: number): NextState {
  const scheduledMs = policy.scheduleMs[tries - 1];
  if (scheduledMs === undefined) return { status: 'dead' };
  const waitMs = Math.min(scheduledMs, maxLostWaitMs);
  return { status: 'pending', delayMs: Math.round(waitMs * (1 + policy.jitter * (2 * random - 1))) };
}

/**
 * Whether later deliveries with its ordering key may overtake a delivery that waits `delayMs` after `tries` tries: once it
 * would have blocked them for longer than the limit, not counting jitter.
 */
export function unblocksAfter(
  tries: number,
  delayMs: number,
  retry: RetryPolicy,
  { limitMs }: OrderingPolicy,
): boolean {
  const waited = retry.scheduleMs.slice(0, tries - 1).reduce((sum, ms) => sum + ms, 0);
  const next = Math.max(retry.scheduleMs[tries - 1] ?? 0, delayMs / (1 + retry.jitter));
  return waited + next > limitMs;
}

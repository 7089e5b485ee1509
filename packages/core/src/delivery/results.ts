import { nextOfTooLarge } from '../channels/digest.js';
import type { RateLimited, Verdict } from '../channels/verdict.js';
import type { Attempt } from '../models/delivery.js';
import { escalationsOf } from '../models/escalation.js';
import { type Ids, madeAt } from '../models/ids.js';
import type { StorageClock } from '../storage/clock.js';
import type { NextState } from '../storage/next-state.js';
import type { Claim } from '../storage/ports.js';
import { delayWithoutChannel, maxDeferralMs, nextEscalation, triesWithin } from './deferral.js';
import type { BoundClaim } from './message.js';
import type { ReceiverThrottle } from './receiver-throttle.js';
import {
  nextState,
  nextStateOfLost,
  type OrderingPolicy,
  type RetryPolicy,
  unblocksAfter,
} from './retry-policy.js';
import { attemptRecord, lostRecord } from './send.js';

/** The result of a claim: the next state of its delivery, and the attempt. */
export interface Result {
  readonly next: NextState;
  readonly attempt?: Attempt;
  /** The bindings that this result escalates to. */
  readonly escalateTo: readonly string[];
  /** Why the receiver is permanently gone. */
  readonly gone?: string;
}

export interface ResultsOptions {
  readonly channels: ReadonlyMap<string, unknown>;
  readonly retry: RetryPolicy;
  readonly ordering: OrderingPolicy;
  readonly ids: Ids;
  readonly clock: StorageClock;
  readonly monotonic: () => number;
  readonly random: () => number;
  readonly throttle: ReceiverThrottle;
}

/** Decides the results of claims, before and after sending. Writes nothing. */
export interface Results {
  /** The result of a claim that is not to be sent now. Undefined where it is. */
  before(claim: Claim): Result | undefined;
  /** The result after a verdict. `startedAt` is the storage's time, `sentAt` is monotonic. */
  after(claim: Claim, verdict: Verdict, startedAt: Date, sentAt: number): Result;
  /** The result that releases a claim uncounted, with the checkpoint that its channel may have left. */
  released(verdict?: Verdict): Result;
}

export function createResults(options: ResultsOptions): Results {
  const { channels, retry, ordering, ids, clock, monotonic, random, throttle } = options;
  /** For how long the delivery has been deferred. */
  const deferredMsOf = ({ deferredSince, event }: Claim): number =>
    deferredSince === null ? 0 : Math.max(0, clock.now() - (deferredSince?.getTime() ?? madeAt(event.id)));
  const isOverdue = (claim: Claim): boolean => deferredMsOf(claim) > maxDeferralMs;
  const lacksChannel = ({ binding }: Claim): boolean =>
    binding !== undefined && !channels.has(binding.channel);

  /** Adds the escalations after `tries` failures, and whether the delivery unblocks those behind it. */
  function failed(claim: Claim, decided: NextState, tries: number): Pick<Result, 'next' | 'escalateTo'> {
    const { binding, webhook, event } = claim;
    const isBehind = decided.status === 'pending' && event.orderingKey !== null;
    const next = isBehind
      ? { ...decided, unblocksOrder: unblocksAfter(tries, decided.delayMs, retry, ordering) }
      : decided;
    if (!binding || (next.status !== 'pending' && next.status !== 'dead')) return { next, escalateTo: [] };
    const times = next.status === 'dead' ? Number.POSITIVE_INFINITY : tries;
    return { next, escalateTo: escalationsOf(binding, webhook.channels, times) };
  }

  /** The result where the worker of the last attempt was lost: records that attempt as `unknown`. A later claim sends. */
  function lost(claim: Claim, lostAt: Date): Result {
    const number = claim.attempt - 1;
    const attempt = lostRecord(ids.attempt(), { ...claim, attempt: number }, lostAt);
    const isDropped = !claim.binding && claim.unreadable === undefined;
    if (isDropped) return { next: { status: 'cancelled' }, attempt, escalateTo: [] };
    // A first attempt may have begun with its claim and never been sent: it counts neither for the schedule nor as a failure.
    const isUncounted = number === claim.attemptsBeforeRetry + 1;
    const tries = triesOf(claim) - 1;
    // After a manual retry `tries` is 0: the lost attempt belongs to the former schedule.
    if (isUncounted || tries === 0) {
      return { next: { status: 'pending', delayMs: 0, isUncounted }, attempt, escalateTo: [] };
    }
    return { ...failed(claim, nextStateOfLost(tries, retry, random()), tries), attempt };
  }

  /** Defers a delivery. Escalations start when they would have started had it kept failing. */
  function defer(claim: BoundClaim, delayMs: number, verdict?: RateLimited): Result {
    const { binding, webhook } = claim;
    const beforeMs = deferredMsOf(claim);
    const soonestMs = nextEscalation(binding, webhook.channels, beforeMs, retry);
    return {
      next: {
        status: 'released',
        delayMs: Math.min(delayMs, soonestMs),
        ...(verdict && checkpointOf(verdict)),
      },
      escalateTo: escalationsOf(binding, webhook.channels, triesWithin(beforeMs, retry)),
    };
  }

  return {
    before(claim) {
      const { binding, lostAt, unreadable } = claim;
      const tries = triesOf(claim);
      if (lostAt) return lost(claim, lostAt);
      if (!binding && unreadable === undefined) return { next: { status: 'cancelled' }, escalateTo: [] };
      // The schedule has become shorter.
      if (tries > retry.scheduleMs.length + 1) return failed(claim, { status: 'dead' }, tries);
      if (!binding) return undefined;
      const bound = claim as BoundClaim;
      if (lacksChannel(claim)) {
        const delayMs = delayWithoutChannel(deferredMsOf(claim), random());
        return delayMs === undefined ? undefined : defer(bound, delayMs);
      }
      const delayMs = throttle.delayFor(bound);
      return delayMs > 0 ? defer(bound, delayMs) : undefined;
    },

    after(claim, given, startedAt, sentAt) {
      const bound = claim as BoundClaim;
      const durationMs = Math.round(monotonic() - sentAt);
      if (given.outcome === 'delivered') {
        throttle.delivered(bound, sentAt);
        const attempt = attemptRecord(ids.attempt(), claim, startedAt, given, durationMs);
        return { next: isDelivered, escalateTo: none, attempt };
      }
      if (given.outcome === 'rate_limited') {
        const delayMs = throttle.rateLimited(bound, given.retryAfterMs, sentAt);
        if (!isOverdue(claim)) return defer(bound, delayMs, given);
      }
      const verdict = given.outcome === 'rate_limited' ? asFailed(given) : given;
      const tries = triesOf(claim);
      const tooLarge = nextOfTooLarge(claim, verdict);
      const decided = tooLarge ? { status: tooLarge } : nextState(verdict, tries, retry, random());
      // Deferred for too long, it fails from now on, until it has another result.
      const isRateLimited =
        decided.status === 'pending' &&
        isOverdue(claim) &&
        (given.outcome === 'rate_limited' || lacksChannel(claim));
      const next: NextState = {
        ...decided,
        ...checkpointOf(verdict),
        ...(isRateLimited && { isRateLimited }),
      };
      return {
        ...failed(claim, next, tries),
        attempt: attemptRecord(ids.attempt(), claim, startedAt, verdict, durationMs),
        ...(verdict.outcome === 'gone' && { gone: verdict.message }),
      };
    },

    released: (verdict) => ({
      next: { status: 'released', ...(verdict && checkpointOf(verdict)) },
      escalateTo: [],
    }),
  };
}

/**
 * The attempts of the present schedule, the one that is to begin included. At least 1: an older version, without `uncounted`,
 * may have written the row.
 */
const triesOf = ({ attempt, attemptsBeforeRetry, uncounted = 0 }: Claim): number =>
  Math.max(1, attempt - attemptsBeforeRetry - uncounted);

const isDelivered: NextState = { status: 'delivered' };
const none: readonly string[] = [];

const asFailed = (verdict: RateLimited): Exclude<Verdict, RateLimited> => ({
  ...verdict,
  outcome: 'failed',
  kind: 'http_status',
});

/** The checkpoint for the next attempt, also for a manual retry of a dead delivery. */
const checkpointOf = (verdict: Verdict): { readonly checkpoint?: string } =>
  'checkpoint' in verdict && verdict.checkpoint !== undefined ? { checkpoint: verdict.checkpoint } : {};

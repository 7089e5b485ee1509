import { nextOfTooLarge } from '../channels/digest.js';
import type { Busy, Verdict } from '../channels/verdict.js';
import { escalationsOf } from '../models/escalation.js';
import { type Ids, madeAt } from '../models/ids.js';
import type { Attempt } from '../models/models.js';
import type { StorageClock } from '../storage/clock.js';
import type { NextState } from '../storage/next-state.js';
import type { Claim } from '../storage/ports.js';
import { nextState, nextStateOfLost, type OrderingPolicy, type RetryPolicy, yieldsAfter } from './decide.js';
import type { BoundClaim } from './message.js';
import { delayWithoutChannel, maxPutOffMs, nextEscalation, triesWithin } from './put-off.js';
import type { ReceiverThrottle } from './receiver-throttle.js';
import { attemptRecord, lostRecord } from './send.js';

/** What becomes of a claim, and what was tried. */
export interface Result {
  readonly next: NextState;
  readonly attempt?: Attempt;
  /** The bindings whose deliveries of the event begin with this. */
  readonly begin: readonly string[];
  /** Why the receiver is gone for good. */
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

/** Decides what becomes of claims, before they are sent and after. Nothing is written here. */
export interface Results {
  /** What becomes of a claim that is not to be sent now; undefined where it is. */
  before(claim: Claim): Result | undefined;
  /** What the verdict means for the delivery and its log. `startedAt` is the storage's time, `sentAt` monotonic. */
  after(claim: Claim, verdict: Verdict, startedAt: Date, sentAt: number): Result;
  /** Gives it back uncounted, with what the channel may have left for the next attempt. */
  released(verdict?: Verdict): Result;
}

export function createResults(options: ResultsOptions): Results {
  const { channels, retry, ordering, ids, clock, monotonic, random, throttle } = options;
  /** For how long it has been put off. */
  const putOffMsOf = ({ putOffSince, event }: Claim): number =>
    putOffSince === null ? 0 : Math.max(0, clock.now() - (putOffSince?.getTime() ?? madeAt(event.id)));
  const isOverdue = (claim: Claim): boolean => putOffMsOf(claim) > maxPutOffMs;
  const lacksChannel = ({ binding }: Claim): boolean =>
    binding !== undefined && !channels.has(binding.channel);

  /** With those who are to hear of it now that it has failed `tries` times, and what that means for those behind it. */
  function failed(claim: Claim, decided: NextState, tries: number): Pick<Result, 'next' | 'begin'> {
    const { binding, webhook, event } = claim;
    const isBehind = decided.status === 'pending' && event.orderingKey !== null;
    const next = isBehind
      ? { ...decided, yields: yieldsAfter(tries, decided.delayMs, retry, ordering) }
      : decided;
    if (!binding || (next.status !== 'pending' && next.status !== 'dead')) return { next, begin: [] };
    const times = next.status === 'dead' ? Number.POSITIVE_INFINITY : tries;
    return { next, begin: escalationsOf(binding, webhook.channels, times) };
  }

  /** Its worker was lost: nobody will ever know how it went, and that goes on record before it is tried again. */
  function lost(claim: Claim, lostAt: Date): Result {
    const number = claim.attempt - 1;
    const attempt = lostRecord(ids.attempt(), { ...claim, attempt: number }, lostAt);
    const isDropped = !claim.binding && claim.unreadable === undefined;
    if (isDropped) return { next: { status: 'cancelled' }, attempt, begin: [] };
    // The first may have begun with its claim, and never been sent: the schedule leaves it out, and it is no failure.
    const isUncounted = number === claim.attemptsBefore + 1;
    const tries = triesOf(claim) - 1;
    // Or somebody has asked for a retry since.
    if (isUncounted || tries === 0) {
      return { next: { status: 'pending', delayMs: 0, isUncounted }, attempt, begin: [] };
    }
    return { ...failed(claim, nextStateOfLost(tries, retry, random()), tries), attempt };
  }

  /** Gives it back for a while. Who waits for it to fail need not wait for longer than if it had. */
  function putOff(claim: BoundClaim, delayMs: number, said?: Busy): Result {
    const { binding, webhook } = claim;
    const beforeMs = putOffMsOf(claim);
    const soonestMs = nextEscalation(binding, webhook.channels, beforeMs, retry);
    return {
      next: { status: 'released', delayMs: Math.min(delayMs, soonestMs), ...(said && memoOf(said)) },
      begin: escalationsOf(binding, webhook.channels, triesWithin(beforeMs, retry)),
    };
  }

  return {
    before(claim) {
      const { binding, lostAt, unreadable } = claim;
      const tries = triesOf(claim);
      if (lostAt) return lost(claim, lostAt);
      if (!binding && unreadable === undefined) return { next: { status: 'cancelled' }, begin: [] };
      // The schedule has become shorter.
      if (tries > retry.scheduleMs.length + 1) return failed(claim, { status: 'dead' }, tries);
      if (!binding) return undefined;
      const bound = claim as BoundClaim;
      if (lacksChannel(claim)) {
        const delayMs = delayWithoutChannel(putOffMsOf(claim), random());
        return delayMs === undefined ? undefined : putOff(bound, delayMs);
      }
      const delayMs = throttle.delayFor(bound);
      return delayMs > 0 ? putOff(bound, delayMs) : undefined;
    },

    after(claim, said, startedAt, sentAt) {
      const bound = claim as BoundClaim;
      const durationMs = Math.round(monotonic() - sentAt);
      if (said.outcome === 'delivered') {
        throttle.delivered(bound, sentAt);
        const attempt = attemptRecord(ids.attempt(), claim, startedAt, said, durationMs);
        return { next: isDelivered, begin: nobody, attempt };
      }
      if (said.outcome === 'busy') {
        const delayMs = throttle.busy(bound, said.retryAfterMs, sentAt);
        if (!isOverdue(claim)) return putOff(bound, delayMs, said);
      }
      const verdict = said.outcome === 'busy' ? asFailed(said) : said;
      const tries = triesOf(claim);
      const tooLarge = nextOfTooLarge(claim, verdict);
      const decided = tooLarge ? { status: tooLarge } : nextState(verdict, tries, retry, random());
      // What can be put off no longer fails from now on, until something else becomes of it.
      const isBusy =
        decided.status === 'pending' && isOverdue(claim) && (said.outcome === 'busy' || lacksChannel(claim));
      const next: NextState = { ...decided, ...memoOf(verdict), ...(isBusy && { isBusy }) };
      return {
        ...failed(claim, next, tries),
        attempt: attemptRecord(ids.attempt(), claim, startedAt, verdict, durationMs),
        ...(verdict.outcome === 'gone' && { gone: verdict.message }),
      };
    },

    released: (verdict) => ({
      next: { status: 'released', ...(verdict && memoOf(verdict)) },
      begin: [],
    }),
  };
}

/**
 * The attempts of the present schedule, the one that is to begin included. A version of the library that knows of none that
 * are left out may have begun the schedule anew.
 */
const triesOf = ({ attempt, attemptsBefore, uncounted = 0 }: Claim): number =>
  Math.max(1, attempt - attemptsBefore - uncounted);

const isDelivered: NextState = { status: 'delivered' };
const nobody: readonly string[] = [];

const asFailed = (said: Busy): Exclude<Verdict, Busy> => ({
  ...said,
  outcome: 'failed',
  kind: 'http_status',
});

/** What is left for the next attempt, also for one that somebody asks for when it is dead. */
const memoOf = (verdict: Verdict): { readonly memo?: string } =>
  'memo' in verdict && verdict.memo !== undefined ? { memo: verdict.memo } : {};

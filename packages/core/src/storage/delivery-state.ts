import type { DeliveryStatus } from '../models/delivery.js';
import type { Settlement } from './ports.js';

/**
 * Where a delivery, or a digest, stands in the queue. Storages keep it in a shape of their own; the functions below say
 * how it moves. Instants are milliseconds since 1970 by the storage's clock.
 */
export interface DeliveryState {
  readonly status: DeliveryStatus;
  /** When it is due while `pending`, when its lease ends while `sending`, when it became final after that. */
  readonly at: number;
  /** How many attempts have begun. */
  readonly attempts: number;
  /** How many of them lie before the last manual retry. */
  readonly attemptsBefore: number;
  /** How many attempts since then the schedule leaves out. */
  readonly uncounted: number;
  /** Names the lease while `sending`. It holds until another takes its place, also when the lease is over. */
  readonly token: string | null;
  /** When the attempt under this lease began. */
  readonly begunAt: number | null;
  /** When an attempt began that was never settled. */
  readonly lostAt: number | null;
  /** Since when it is put off, later by the time for which it was due and unclaimed. */
  readonly putOffSince: number | null;
  /** Whether those behind it with its ordering key need not wait for it. */
  readonly yields: boolean;
  readonly memo: string | undefined;
}

/** The state of a delivery that has just been made, due at `at`. */
export const newState = (at: number): DeliveryState => ({
  status: 'pending',
  at,
  attempts: 0,
  attemptsBefore: 0,
  uncounted: 0,
  token: null,
  begunAt: null,
  lostAt: null,
  putOffSince: null,
  yields: false,
  memo: undefined,
});

export const isFinished = ({ status }: Pick<DeliveryState, 'status'>): boolean =>
  status !== 'pending' && status !== 'sending';

/**
 * Leases what is due, or whose lease is over, until `until`. With `isBegun` a first attempt begins with it. The claim's
 * number of the attempt is the `attempts` of `state` and one more.
 */
export function lease(
  state: DeliveryState,
  { token, now, until, isBegun }: { token: string; now: number; until: number; isBegun: boolean },
): DeliveryState {
  const lostAt = state.begunAt ?? state.lostAt;
  const isFirst = lostAt === null && state.attempts === state.attemptsBefore;
  const leased: DeliveryState = {
    ...state,
    status: 'sending',
    at: until,
    token,
    begunAt: null,
    lostAt,
    // While it was due and nothing claimed it, it was not put off.
    putOffSince: state.putOffSince === null ? null : state.putOffSince + Math.max(0, now - state.at),
  };
  return isBegun && isFirst ? beginAttempt(leased, now) : leased;
}

/** Begins the attempt under the lease, and counts it; a second time changes nothing. */
export const beginAttempt = (state: DeliveryState, now: number): DeliveryState =>
  state.begunAt === null ? { ...state, begunAt: now, attempts: state.attempts + 1 } : state;

/**
 * What becomes of a delivery with the result of its attempt. Of a digest that `split`, it is the state of both halves.
 * The caller has compared the tokens.
 */
export function settle(
  state: DeliveryState,
  { next, attempt }: Pick<Settlement, 'next' | 'attempt'>,
  now: number,
): DeliveryState {
  const isReleased = next.status === 'released';
  const since = isReleased && next.delayMs ? (state.putOffSince ?? now) : state.putOffSince;
  const settled: DeliveryState = {
    ...state,
    // An attempt that sent nothing is not counted.
    attempts: !attempt && state.begunAt !== null ? state.attempts - 1 : state.attempts,
    lostAt: isReleased ? state.lostAt : null,
    putOffSince: next.status === 'pending' && !next.isBusy ? null : since,
    memo: ('memo' in next ? next.memo : undefined) ?? state.memo,
  };
  if (next.status === 'split') return restart(settled, now);
  if (next.status !== 'pending' && !isReleased) return finish(settled, next.status, now);
  return {
    ...settled,
    status: 'pending',
    at: now + (next.delayMs ?? 0),
    token: null,
    begunAt: null,
    yields: state.yields || (!isReleased && next.yields === true),
    uncounted: state.uncounted + (!isReleased && next.isUncounted ? 1 : 0),
  };
}

/** Due at once with a new schedule, and yielding to what is behind it: a manual retry. */
export const restart = (state: DeliveryState, now: number): DeliveryState => ({
  ...state,
  status: 'pending',
  at: now,
  attemptsBefore: state.attempts,
  uncounted: 0,
  token: null,
  begunAt: null,
  putOffSince: null,
  yields: true,
});

/** Makes it final. The memo of what is delivered goes: a manual retry is to reach all of its receivers again. */
export const finish = (
  state: DeliveryState,
  status: 'delivered' | 'dead' | 'cancelled',
  now: number,
): DeliveryState => ({
  ...state,
  status,
  at: now,
  token: null,
  begunAt: null,
  lostAt: null,
  putOffSince: null,
  memo: status === 'delivered' ? undefined : state.memo,
});

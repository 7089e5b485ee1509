import type { DeliveryStatus } from '../models/delivery.js';
import type { Settlement } from './ports.js';

/**
 * The state of a delivery, or of a digest, in the queue. Each storage keeps it in its own shape; the functions below
 * are its transitions. Instants are milliseconds since 1970 by the storage's clock.
 */
export interface DeliveryState {
  readonly status: DeliveryStatus;
  /** While `pending`, when it is due. While `sending`, when its lease ends. After that, when it became final. */
  readonly at: number;
  /** How many attempts have begun. */
  readonly attempts: number;
  /** How many of them came before the last manual retry. */
  readonly attemptsBeforeRetry: number;
  /** How many attempts since the last manual retry do not count for the retry schedule. */
  readonly uncounted: number;
  /**
   * The token of its lease. Null unless `sending`. It stays valid after the lease has expired, until a new lease
   * replaces it.
   */
  readonly token: string | null;
  /** When the attempt under this lease began. Null where none has. */
  readonly begunAt: number | null;
  /** When an attempt began whose result was never written. Null where there is none. */
  readonly lostAt: number | null;
  /** Since when it is deferred, plus the time in which it was due and unclaimed. Null while it is not deferred. */
  readonly deferredSince: number | null;
  /** Whether later deliveries with its ordering key may overtake it. */
  readonly yields: boolean;
  /** What its channel left for the next attempt. */
  readonly checkpoint: string | undefined;
}

/** Returns the state of a new delivery that is due at `at`. */
export const newState = (at: number): DeliveryState => ({
  status: 'pending',
  at,
  attempts: 0,
  attemptsBeforeRetry: 0,
  uncounted: 0,
  token: null,
  begunAt: null,
  lostAt: null,
  deferredSince: null,
  yields: false,
  checkpoint: undefined,
});

/** Whether a delivery is final: `delivered`, `dead` or `cancelled`. */
export const isFinished = ({ status }: Pick<DeliveryState, 'status'>): boolean =>
  status !== 'pending' && status !== 'sending';

/**
 * Leases a delivery until `until`. The caller has checked that it is due or its lease has expired. With `isBegun`, a
 * first attempt begins with the lease. The number of the claim's attempt is `state.attempts + 1`.
 */
export function lease(
  state: DeliveryState,
  { token, now, until, isBegun }: { token: string; now: number; until: number; isBegun: boolean },
): DeliveryState {
  const lostAt = state.begunAt ?? state.lostAt;
  const isFirst = lostAt === null && state.attempts === state.attemptsBeforeRetry;
  const leased: DeliveryState = {
    ...state,
    status: 'sending',
    at: until,
    token,
    begunAt: null,
    lostAt,
    // The time in which it was due and unclaimed is no deferral.
    deferredSince: state.deferredSince === null ? null : state.deferredSince + Math.max(0, now - state.at),
  };
  return isBegun && isFirst ? beginAttempt(leased, now) : leased;
}

/** Begins the attempt under the lease, and counts it. A second call changes nothing. */
export const beginAttempt = (state: DeliveryState, now: number): DeliveryState =>
  state.begunAt === null ? { ...state, begunAt: now, attempts: state.attempts + 1 } : state;

/**
 * Applies the result of an attempt to a delivery. For the result `split` of a digest, both halves get the returned
 * state. The caller has compared the tokens.
 */
export function settle(
  state: DeliveryState,
  { next, attempt }: Pick<Settlement, 'next' | 'attempt'>,
  now: number,
): DeliveryState {
  const isReleased = next.status === 'released';
  const since = isReleased && next.delayMs ? (state.deferredSince ?? now) : state.deferredSince;
  const settled: DeliveryState = {
    ...state,
    // An attempt that sent nothing is not counted.
    attempts: !attempt && state.begunAt !== null ? state.attempts - 1 : state.attempts,
    lostAt: isReleased ? state.lostAt : null,
    deferredSince: next.status === 'pending' && !next.isRateLimited ? null : since,
    checkpoint: ('checkpoint' in next ? next.checkpoint : undefined) ?? state.checkpoint,
  };
  if (next.status === 'split') return restart(settled, now);
  if (next.status !== 'pending' && !isReleased) return finish(settled, next.status, now);
  return {
    ...settled,
    status: 'pending',
    at: now + (next.delayMs ?? 0),
    token: null,
    begunAt: null,
    yields: state.yields || (!isReleased && next.unblocksOrder === true),
    uncounted: state.uncounted + (!isReleased && next.isUncounted ? 1 : 0),
  };
}

/**
 * Restarts a delivery, as a manual retry does: due at once, with a new schedule, and later deliveries may overtake it.
 */
export const restart = (state: DeliveryState, now: number): DeliveryState => ({
  ...state,
  status: 'pending',
  at: now,
  attemptsBeforeRetry: state.attempts,
  uncounted: 0,
  token: null,
  begunAt: null,
  deferredSince: null,
  yields: true,
});

/** Makes a delivery final. `delivered` drops the checkpoint, so that a manual retry reaches all of its recipients again. */
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
  deferredSince: null,
  checkpoint: status === 'delivered' ? undefined : state.checkpoint,
});

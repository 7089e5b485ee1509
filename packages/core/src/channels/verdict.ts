import type { FailureKind } from '../models/failures.js';

/** What a receiver said, for the record. */
export interface Report {
  /** Its status code. */
  readonly status?: number;
  /** The beginning of its answer as text, 16 Ki characters at most. */
  readonly response?: string;
}

interface Failure extends Report {
  readonly kind: FailureKind;
  /** For people; never a secret. */
  readonly message: string;
}

interface Later {
  /** How long the receiver asks to be left alone. */
  readonly retryAfterMs?: number;
  /**
   * What the next attempt of the same delivery gets as its message's `memo`, 16 Ki characters at most: which of several
   * recipients have it, say. An attempt that leaves none leaves that of the one before; so does one whose memo is longer,
   * and that is announced as an error. It may be lost where a worker dies. A retry that the application asks for has it, too,
   * but for one of what was delivered, which is to go to all again.
   */
  readonly memo?: string;
}

/**
 * The receiver is up, and asks to be left alone for `retryAfterMs`: nothing has failed, and nothing is counted. The engine
 * waits a little longer than that, an hour at most, and sends to that channel one after the other, at the pace at which
 * they are taken. It counts as `failed` where the event is a day old.
 */
export interface Busy extends Report, Pick<Later, 'memo'> {
  readonly outcome: 'busy';
  readonly retryAfterMs: number;
  /** For people; never a secret. */
  readonly message: string;
}

/**
 * What a channel says of one attempt: it arrived; it failed and may be tried again (after `retryAfterMs`, if the
 * receiver asked for that); it met the receiver's limit, which is no failure (`busy`); the receiver will never take it; or
 * the receiver is gone for good, so that the webhook is paused if this is its only channel. A verdict is a value. A channel that throws has `failed`.
 */
export type Verdict =
  | (Report & { readonly outcome: 'delivered' })
  | (Failure & { readonly outcome: 'failed' } & Later)
  | Busy
  | (Failure & { readonly outcome: 'rejected' })
  | (Failure & { readonly outcome: 'gone' });

const outcomes = [
  'delivered',
  'failed',
  'busy',
  'rejected',
  'gone',
] as const satisfies readonly Verdict['outcome'][];

/** Whether `said` is meant as a verdict: an object with one of the outcomes. What else it holds may still be unsound. */
export const isVerdict = (said: unknown): said is Verdict =>
  typeof said === 'object' && said !== null && outcomes.includes((said as Verdict).outcome);

export const delivered = (report: Report = {}): Verdict => ({ outcome: 'delivered', ...report });

export const failed = (kind: FailureKind, message: string, report: Report & Later = {}): Verdict => ({
  outcome: 'failed',
  kind,
  message,
  ...report,
});

export const busy = (
  retryAfterMs: number,
  message: string,
  report: Report & Pick<Later, 'memo'> = {},
): Verdict => ({ outcome: 'busy', retryAfterMs, message, ...report });

export const rejected = (kind: FailureKind, message: string, report: Report = {}): Verdict => ({
  outcome: 'rejected',
  kind,
  message,
  ...report,
});

export const gone = (kind: FailureKind, message: string, report: Report = {}): Verdict => ({
  outcome: 'gone',
  kind,
  message,
  ...report,
});

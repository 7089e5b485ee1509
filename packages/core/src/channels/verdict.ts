import type { FailureKind } from '../models/failure-kind.js';

/** What a receiver answered, for the record. */
export interface ReceiverResponse {
  /** Its status code. */
  readonly status?: number;
  /** The beginning of its response body as text, at most 16 Ki characters. */
  readonly response?: string;
}

interface Failure extends ReceiverResponse {
  readonly kind: FailureKind;
  /** For people; never a secret. */
  readonly message: string;
}

interface Later {
  /** How long the receiver asks to wait before the next attempt. */
  readonly retryAfterMs?: number;
  /**
   * Text for the next attempt of the same delivery, which gets it as `message.checkpoint`: for example, which of several recipients
   * have the message. At most 16 Ki characters; a longer one is dropped and emitted as an `error`. An attempt that leaves
   * none keeps the one before. It may be lost where a worker dies. A manual retry keeps it, except after `delivered`: then
   * the message goes to everyone again.
   */
  readonly checkpoint?: string;
}

/**
 * The receiver is up and limits its rate. This is no failure and counts as no attempt. The engine waits a little longer than
 * `retryAfterMs`, at most an hour, and then sends to that channel one delivery at a time, at the pace that the receiver
 * accepts. Once a delivery has been deferred for a day, this counts as `failed`.
 */
export interface RateLimited extends ReceiverResponse, Pick<Later, 'checkpoint'> {
  readonly outcome: 'rate_limited';
  readonly retryAfterMs: number;
  /** For people; never a secret. */
  readonly message: string;
}

/**
 * The outcome of one attempt, as its channel reports it. A verdict is a value; a channel that throws has `failed`.
 *
 * - `delivered`: the receiver has it.
 * - `failed`: it may be retried, after `retryAfterMs` where the receiver asked for that.
 * - `rate_limited`: it met the receiver's rate limit, which is no failure.
 * - `rejected`: the receiver will never accept it.
 * - `gone`: the receiver is permanently gone. The webhook is disabled if this is its only channel.
 */
export type Verdict =
  | (ReceiverResponse & { readonly outcome: 'delivered' })
  | (Failure & { readonly outcome: 'failed' } & Later)
  | RateLimited
  | (Failure & { readonly outcome: 'rejected' })
  | (Failure & { readonly outcome: 'gone' });

const outcomes = [
  'delivered',
  'failed',
  'rate_limited',
  'rejected',
  'gone',
] as const satisfies readonly Verdict['outcome'][];

/** Whether `value` is meant as a verdict: an object with one of the outcomes. Its other fields are not checked. */
export const isVerdict = (value: unknown): value is Verdict =>
  typeof value === 'object' && value !== null && outcomes.includes((value as Verdict).outcome);

/** The receiver has the message. */
export const delivered = (report: ReceiverResponse = {}): Verdict => ({ outcome: 'delivered', ...report });

/** The attempt failed and may be retried. */
export const failed = (
  kind: FailureKind,
  message: string,
  report: ReceiverResponse & Later = {},
): Verdict => ({
  outcome: 'failed',
  kind,
  message,
  ...report,
});

/** The receiver limits its rate: no failure, no counted attempt. */
export const rateLimited = (
  retryAfterMs: number,
  message: string,
  report: ReceiverResponse & Pick<Later, 'checkpoint'> = {},
): Verdict => ({ outcome: 'rate_limited', retryAfterMs, message, ...report });

/** The receiver will never accept this message: the delivery is dead. */
export const rejected = (kind: FailureKind, message: string, report: ReceiverResponse = {}): Verdict => ({
  outcome: 'rejected',
  kind,
  message,
  ...report,
});

/** The receiver is permanently gone: the delivery is dead, and a webhook without other channels is disabled. */
export const gone = (kind: FailureKind, message: string, report: ReceiverResponse = {}): Verdict => ({
  outcome: 'gone',
  kind,
  message,
  ...report,
});

import type { Cancellation } from '../channels/cancellation.js';
import type { Channel, Message } from '../channels/channel.js';
import { failed, type Verdict } from '../channels/verdict.js';
import { kindOf, PosthornError } from '../errors.js';
import type { Announcer } from '../lifecycle.js';
import { outcomeSchema } from '../models/delivery.js';
import { failureKindSchema } from '../models/failures.js';

/** The lengths to which a response is truncated and a memo is limited. */
const maxResponse = 16 * 1024;
const maxMemo = 16 * 1024;

/**
 * Has the channel send the message, and calls `onVerdict` once, later, with a verdict that can be stored. A channel is
 * foreign code: whatever it returns or throws becomes a verdict.
 */
export function callChannel(
  channel: Channel,
  message: Message,
  signal: Cancellation,
  announcer: Announcer,
  onVerdict: (verdict: Verdict) => void,
): void {
  const onThrown = (error: unknown): void => onVerdict(verdictFromError(error));
  try {
    // A channel that takes a plain cancellation declares that.
    Promise.resolve(channel.send(message, signal as AbortSignal)).then(
      (returned) => onVerdict(withoutRefusedMemo(returned, channel, announcer)),
      onThrown,
    );
  } catch (error) {
    Promise.reject(error).catch(onThrown);
  }
}

function withoutRefusedMemo(returned: Verdict, channel: Channel, announcer: Announcer): Verdict {
  try {
    const verdict = normalizeVerdict(returned);
    if (!('memo' in verdict) || isMemo(verdict.memo)) return verdict;
    // The memo is lost, the outcome is not.
    const { memo, ...rest } = verdict;
    announcer.announce('error', () => memoRefused(channel, memo));
    return rest;
  } catch (error) {
    return verdictFromError(error);
  }
}

/** The verdict for an error that a channel threw. */
export function verdictFromError(error: unknown): Verdict {
  try {
    if (error instanceof Error) return failed('channel_error', `${error.name}: ${error.message}`);
  } catch {
    // Even reading the error throws.
  }
  return failed('channel_error', `it threw ${kindOf(error)}`);
}

function normalizeVerdict(verdict: Verdict): Verdict {
  const fields = (verdict ?? {}) as unknown as Readonly<Record<string, unknown>>;
  const { outcome, kind, message, retryAfterMs, status, response } = fields;
  const isSound =
    (outcome === 'delivered' ||
      (typeof message === 'string' && (outcome === 'busy' || (outcomes.has(outcome) && kinds.has(kind))))) &&
    (typeof retryAfterMs === 'number' || (retryAfterMs === undefined && outcome !== 'busy')) &&
    (status === undefined || (Number.isInteger(status) && Number(status) >= 0 && Number(status) <= 999)) &&
    (response === undefined || typeof response === 'string');
  if (!isSound) return failed('channel_error', `it returned ${kindOf(verdict)} that is no verdict`);
  // A copy, as the channel may keep its verdict and change it. Field by field, as most verdicts have few.
  const copy: Record<string, unknown> = { outcome };
  if (outcome !== 'delivered') copy.message = message;
  if (outcome !== 'delivered' && outcome !== 'busy') copy.kind = kind;
  if (retryAfterMs !== undefined) copy.retryAfterMs = retryAfterMs;
  if (status !== undefined) copy.status = status;
  if (response !== undefined) copy.response = truncate(response as string, maxResponse);
  if ('memo' in fields) copy.memo = fields.memo;
  return copy as unknown as Verdict;
}

const isMemo = (memo: unknown): boolean =>
  memo === undefined || (typeof memo === 'string' && memo.length <= maxMemo);

function memoRefused({ type }: Channel, memo: unknown): PosthornError {
  const what = typeof memo === 'string' ? `of ${memo.length} characters` : `that is ${kindOf(memo)}`;
  return new PosthornError('memo_refused', `the channel ${type} left a memo ${what}; it may have ${maxMemo}`);
}

/** The beginning of `text`, without a lone surrogate at its end, which no database accepts. */
export function truncate(text: string, length: number): string {
  if (text.length <= length) return text;
  const beginning = text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
  // Copied through a buffer: a slice would keep the whole text alive.
  return Buffer.from(beginning).toString();
}

/** A channel cannot report that its own process was lost. */
const outcomes: ReadonlySet<unknown> = new Set(outcomeSchema.exclude(['unknown']).options);
const kinds: ReadonlySet<unknown> = new Set(failureKindSchema.exclude(['worker_lost']).options);

import type { Cancellation } from '../channels/cancellation.js';
import type { Channel, Message } from '../channels/channel.js';
import { failed, type Verdict } from '../channels/verdict.js';
import { kindOf, PosthornError } from '../errors.js';
import type { Announcer } from '../lifecycle.js';
import { failureKindSchema } from '../models/failures.js';
import { outcomeSchema } from '../models/models.js';

/** How much of a receiver's answer is kept, and how long a memo may be. */
const maxResponse = 16 * 1024;
const maxMemo = 16 * 1024;

/**
 * Asks the channel, and tells what it says of the message, whatever that is, as a verdict that may be stored: once, and
 * never at once. A channel is other people's code, and may say anything.
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
    // What it is given is what it says that it takes.
    Promise.resolve(channel.send(message, signal as AbortSignal)).then(
      (said) => onVerdict(judged(said, channel, announcer)),
      onThrown,
    );
  } catch (error) {
    Promise.reject(error).catch(onThrown);
  }
}

function judged(said: Verdict, channel: Channel, announcer: Announcer): Verdict {
  try {
    const verdict = checked(said);
    if (!('memo' in verdict) || isMemo(verdict.memo)) return verdict;
    // Who has it is forgotten; that it was delivered, say, is not.
    const { memo, ...rest } = verdict;
    announcer.announce('error', () => memoRefused(channel, memo));
    return rest;
  } catch (error) {
    return verdictFromError(error);
  }
}

/** What a channel threw, as a verdict. */
export function verdictFromError(error: unknown): Verdict {
  try {
    if (error instanceof Error) return failed('channel_error', `${error.name}: ${error.message}`);
  } catch {
    // An error that cannot even be read.
  }
  return failed('channel_error', `it threw ${kindOf(error)}`);
}

function checked(verdict: Verdict): Verdict {
  const said = (verdict ?? {}) as unknown as Readonly<Record<string, unknown>>;
  const { outcome, kind, message, retryAfterMs, status, response } = said;
  const isSound =
    (outcome === 'delivered' ||
      (typeof message === 'string' && (outcome === 'busy' || (outcomes.has(outcome) && kinds.has(kind))))) &&
    (typeof retryAfterMs === 'number' || (retryAfterMs === undefined && outcome !== 'busy')) &&
    (status === undefined || (Number.isInteger(status) && Number(status) >= 0 && Number(status) <= 999)) &&
    (response === undefined || typeof response === 'string');
  if (!isSound) return failed('channel_error', `it returned ${kindOf(verdict)} that is no verdict`);
  // A copy of what was checked: the channel may keep its verdict, and change it. Field by field, as in most of them are few.
  const copy: Record<string, unknown> = { outcome };
  if (outcome !== 'delivered') copy.message = message;
  if (outcome !== 'delivered' && outcome !== 'busy') copy.kind = kind;
  if (retryAfterMs !== undefined) copy.retryAfterMs = retryAfterMs;
  if (status !== undefined) copy.status = status;
  if (response !== undefined) copy.response = truncate(response as string, maxResponse);
  if ('memo' in said) copy.memo = said.memo;
  return copy as unknown as Verdict;
}

const isMemo = (memo: unknown): boolean =>
  memo === undefined || (typeof memo === 'string' && memo.length <= maxMemo);

function memoRefused({ type }: Channel, memo: unknown): PosthornError {
  const what = typeof memo === 'string' ? `of ${memo.length} characters` : `that is ${kindOf(memo)}`;
  return new PosthornError('memo_refused', `the channel ${type} left a memo ${what}; it may have ${maxMemo}`);
}

/** The beginning of `text`, without half a character at its end: no database takes a lone surrogate. */
export function truncate(text: string, length: number): string {
  if (text.length <= length) return text;
  const beginning = text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
  // Written and read once: a slice would keep the whole text alive.
  return Buffer.from(beginning).toString();
}

/** What no channel can say: that its own process was lost. */
const outcomes: ReadonlySet<unknown> = new Set(outcomeSchema.exclude(['unknown']).options);
const kinds: ReadonlySet<unknown> = new Set(failureKindSchema.exclude(['worker_lost']).options);

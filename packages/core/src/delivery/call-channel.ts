import type { Cancellation } from '../channels/cancellation.js';
import type { Channel, Message } from '../channels/channel.js';
import { failed, type Verdict } from '../channels/verdict.js';
import { describeType, PosthornError } from '../errors.js';
import type { LifecycleEmitter } from '../lifecycle.js';
import { outcomeSchema } from '../models/delivery.js';
import { failureKindSchema } from '../models/failure-kind.js';

/** The lengths to which a response is truncated and a checkpoint is limited. */
const maxResponse = 16 * 1024;
const maxCheckpoint = 16 * 1024;

/**
 * Has the channel send the message, and calls `onVerdict` once, later, with a verdict that can be stored. A channel is
 * foreign code: whatever it returns or throws becomes a verdict.
 */
export function callChannel(
  channel: Channel,
  message: Message,
  signal: Cancellation,
  lifecycle: LifecycleEmitter,
  onVerdict: (verdict: Verdict) => void,
): void {
  const onThrown = (error: unknown): void => onVerdict(verdictFromError(error));
  try {
    // A channel that takes a plain cancellation declares that.
    Promise.resolve(channel.send(message, signal as AbortSignal)).then(
      (returned) => onVerdict(withoutRefusedCheckpoint(returned, channel, lifecycle)),
      onThrown,
    );
  } catch (error) {
    Promise.reject(error).catch(onThrown);
  }
}

function withoutRefusedCheckpoint(returned: Verdict, channel: Channel, lifecycle: LifecycleEmitter): Verdict {
  try {
    const verdict = normalizeVerdict(returned);
    if (!('checkpoint' in verdict) || isCheckpoint(verdict.checkpoint)) return verdict;
    // The checkpoint is lost, the outcome is not.
    const { checkpoint, ...rest } = verdict;
    lifecycle.emit('error', () => checkpointRefused(channel, checkpoint));
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
  return failed('channel_error', `it threw ${describeType(error)}`);
}

function normalizeVerdict(verdict: Verdict): Verdict {
  const fields = (verdict ?? {}) as unknown as Readonly<Record<string, unknown>>;
  const { outcome, kind, message, retryAfterMs, status, response } = fields;
  const isSound =
    (outcome === 'delivered' ||
      (typeof message === 'string' &&
        (outcome === 'rate_limited' || (outcomes.has(outcome) && kinds.has(kind))))) &&
    (typeof retryAfterMs === 'number' || (retryAfterMs === undefined && outcome !== 'rate_limited')) &&
    (status === undefined || (Number.isInteger(status) && Number(status) >= 0 && Number(status) <= 999)) &&
    (response === undefined || typeof response === 'string');
  if (!isSound) return failed('channel_error', `it returned ${describeType(verdict)} that is no verdict`);
  // A copy, as the channel may keep its verdict and change it. Field by field, as most verdicts have few.
  const copy: Record<string, unknown> = { outcome };
  if (outcome !== 'delivered') copy.message = message;
  if (outcome !== 'delivered' && outcome !== 'rate_limited') copy.kind = kind;
  if (retryAfterMs !== undefined) copy.retryAfterMs = retryAfterMs;
  if (status !== undefined) copy.status = status;
  if (response !== undefined) copy.response = truncate(response as string, maxResponse);
  if ('checkpoint' in fields) copy.checkpoint = fields.checkpoint;
  return copy as unknown as Verdict;
}

const isCheckpoint = (checkpoint: unknown): boolean =>
  checkpoint === undefined || (typeof checkpoint === 'string' && checkpoint.length <= maxCheckpoint);

function checkpointRefused({ type }: Channel, checkpoint: unknown): PosthornError {
  const what =
    typeof checkpoint === 'string'
      ? `of ${checkpoint.length} characters`
      : `that is ${describeType(checkpoint)}`;
  return new PosthornError(
    'checkpoint_refused',
    `the channel ${type} left a checkpoint ${what}; it may have ${maxCheckpoint}`,
  );
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

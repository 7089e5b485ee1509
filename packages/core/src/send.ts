import { getEventListeners } from 'node:events';
import { maxTimerMs } from './duration.js';
import { kindOf } from './errors.js';
import { type Attempt, type Event, failureKindSchema, outcomeSchema } from './models.js';
import type { Channel, Claim, Message } from './ports.js';
import { failed, type Verdict } from './verdict.js';

/** How much of a receiver's answer, and of an error's message, is kept. */
const maxResponse = 16 * 1024;
const maxMessage = 1024;

/** What a channel gets of a claim. */
export class ClaimedMessage implements Message {
  readonly deliveryId: string;
  readonly attempt: number;
  readonly startedAt: Date;
  readonly event: Event;
  readonly webhook: Message['webhook'];
  readonly configs: unknown;
  readonly secrets: readonly string[];
  #payload: { readonly parsed: unknown } | undefined;

  constructor({ deliveryId, attempt, event, webhook, binding }: Claim, startedAt: Date) {
    const { id, tenantId, name, secrets } = webhook;
    this.deliveryId = deliveryId;
    this.attempt = attempt;
    this.startedAt = startedAt;
    this.event = event;
    this.webhook = { id, tenantId, name };
    this.configs = binding?.configs;
    this.secrets = secrets
      .filter(({ expiresAt }) => expiresAt === null || expiresAt > startedAt)
      .map(({ key }) => key);
  }

  /** Parsed when it is asked for: the HTTP channel never does. */
  get payload(): unknown {
    this.#payload ??= { parsed: JSON.parse(this.event.payload) };
    return this.#payload.parsed;
  }
}

/** One try under way. */
export interface Sending {
  /** What the channel said, or what became of it. Never rejects. */
  readonly verdict: Promise<Verdict>;
  /** Ends it now, whatever the channel does, with a verdict of our own. */
  end(verdict: Verdict): void;
}

/** Signals that were let go of, not aborted, and not listened to. */
const spareControllers: AbortController[] = [];

function giveBack(controller: AbortController): void {
  const { signal } = controller;
  const isUnused = !signal.aborted && getEventListeners(signal, 'abort').length === 0;
  if (isUnused && spareControllers.length < 1_000) spareControllers.push(controller);
}

/**
 * Hands the message to its channel. Ends at the deadline at the latest, whether the channel heeds the signal or not.
 */
export function send(message: Message, channel: Channel | undefined, attemptDeadlineMs: number): Sending {
  if (!channel) return notSent(failed('config', 'no channel of this type is registered in this process'));
  let deadlineMs: number;
  try {
    deadlineMs = channel.deadlineMs?.(message.configs) ?? attemptDeadlineMs;
  } catch (error) {
    return notSent(thrown(error));
  }
  if (!(typeof deadlineMs === 'number' && deadlineMs > 0 && deadlineMs <= maxTimerMs)) {
    return notSent(failed('channel_error', 'its deadlineMs is no time that one can wait'));
  }
  const controller = (channel.letsGoOfSignal && spareControllers.pop()) || new AbortController();
  let end!: (verdict: Verdict) => void;
  const verdict = new Promise<Verdict>((resolve) => {
    let isOver = false;
    const settle = (value: Verdict) => {
      isOver = true;
      clearTimeout(timer);
      resolve(value);
    };
    end = (ours) => {
      if (isOver) return;
      settle(ours);
      controller.abort();
    };
    const timer = setTimeout(() => end(failed('timeout', `no result within ${deadlineMs} ms`)), deadlineMs);
    void said(channel, message, controller.signal).then((theirs) => {
      settle(theirs);
      if (channel.letsGoOfSignal) giveBack(controller);
    });
  });
  return { verdict, end };
}

const notSent = (verdict: Verdict): Sending => ({ verdict: Promise.resolve(verdict), end: () => {} });

/** What the channel says, whatever that is, as a verdict. Never rejects. */
async function said(channel: Channel, message: Message, signal: AbortSignal): Promise<Verdict> {
  try {
    return checked(await channel.send(message, signal));
  } catch (error) {
    return thrown(error);
  }
}

function thrown(error: unknown): Verdict {
  try {
    if (error instanceof Error) return failed('channel_error', `${error.name}: ${error.message}`);
  } catch {
    // An error that cannot even be read.
  }
  return failed('channel_error', `it threw ${kindOf(error)}`);
}

/** A channel is other people's code: its answer is checked, and cut to what may be stored. */
function checked(verdict: Verdict): Verdict {
  const said = (verdict ?? {}) as unknown as Readonly<Record<string, unknown>>;
  const { outcome, kind, message, retryAfterMs, status, response } = said;
  const isSound =
    (outcome === 'delivered' || (outcomes.has(outcome) && kinds.has(kind) && typeof message === 'string')) &&
    (retryAfterMs === undefined || typeof retryAfterMs === 'number') &&
    (status === undefined || (Number.isInteger(status) && Number(status) >= 0 && Number(status) <= 999)) &&
    (response === undefined || typeof response === 'string');
  if (!isSound) return failed('channel_error', `it returned ${kindOf(verdict)} that is no verdict`);
  return typeof response === 'string' && response.length > maxResponse
    ? { ...verdict, response: cut(response, maxResponse) }
    : verdict;
}

/** The beginning of `text`, without half a character at its end: no database takes a lone surrogate. */
function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const beginning = text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
  // Written and read once: a slice would keep the whole text alive.
  return Buffer.from(beginning).toString();
}

const outcomes: ReadonlySet<unknown> = new Set(outcomeSchema.options);
const kinds: ReadonlySet<unknown> = new Set(failureKindSchema.options);

/** The record of an attempt. */
export function attemptRecord(id: string, message: Message, verdict: Verdict, durationMs: number): Attempt {
  const isDelivered = verdict.outcome === 'delivered';
  return {
    id,
    deliveryId: message.deliveryId,
    number: message.attempt,
    startedAt: message.startedAt,
    durationMs,
    outcome: verdict.outcome,
    kind: isDelivered ? null : verdict.kind,
    message: isDelivered ? null : cut(verdict.message, maxMessage),
    status: verdict.status ?? null,
    response: verdict.response ?? null,
  };
}

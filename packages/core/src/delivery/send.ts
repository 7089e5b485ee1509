import { PlainCancellation } from '../channels/cancellation.js';
import type { Channel, Message } from '../channels/channel.js';
import { digestOf } from '../channels/digest.js';
import { failed, type RateLimited, type Verdict } from '../channels/verdict.js';
import { maxTimerMs } from '../duration.js';
import { describeType } from '../errors.js';
import type { LifecycleEmitter } from '../lifecycle.js';
import type { Attempt } from '../models/delivery.js';
import { minSecretLength, redact } from '../secrets/redact.js';
import type { WebhookSecrets } from '../secrets/webhook-secrets.js';
import type { Claim } from '../storage/ports.js';
import { callChannel, truncate, verdictFromError } from './call-channel.js';
import { type BoundClaim, ClaimedMessage } from './message.js';
import { outside } from './outside.js';

/** The length to which an error message is truncated. */
const maxMessage = 1024;

export interface SendOptions {
  readonly channels: ReadonlyMap<string, Channel>;
  readonly secrets: WebhookSecrets;
  /** For channels without a deadline of their own. */
  readonly attemptDeadlineMs: number;
  readonly lifecycle: LifecycleEmitter;
}

/** A message in the hands of its channel. */
export interface Sending {
  /** Aborts the send. The verdict is the given one, unless the channel reports within `momentMs`. Default 0. */
  end(verdict: Verdict, momentMs?: number): void;
}

/**
 * Hands a claim to its channel and calls `onVerdict` once, at the deadline at the latest, whether the channel heeds the
 * signal or not. Undefined where it could not be sent: then `onVerdict` has been called.
 */
export function send(
  claim: BoundClaim,
  startedAt: Date,
  options: SendOptions,
  onVerdict: (verdict: Verdict) => void,
): Sending | undefined {
  const { channels, secrets, attemptDeadlineMs } = options;
  const notSent = (verdict: Verdict): undefined => void onVerdict(verdict);
  const channel = channels.get(claim.binding.channel);
  if (!channel) return notSent(failed('config', 'no channel of this type is registered in this process'));
  if (digestOf(claim) && !channel.supportsDigests) {
    return notSent(failed('config', 'the channel of this type does not write digests'));
  }
  let message: Message;
  try {
    message = new ClaimedMessage(claim, startedAt, secrets);
  } catch (error) {
    // Nothing is sent unsigned, or with a secret that cannot be decrypted.
    return notSent(failed('config', (error as Error).message));
  }
  let deadlineMs: number;
  try {
    deadlineMs = channel.deadlineMs?.(message.configs) ?? attemptDeadlineMs;
  } catch (error) {
    return notSent(verdictFromError(error));
  }
  if (!(typeof deadlineMs === 'number' && deadlineMs > 0 && deadlineMs <= maxTimerMs)) {
    return notSent(failed('channel_error', `its deadlineMs must be above 0, and at most ${maxTimerMs}`));
  }
  const sending = new ChannelSending(channel, message, options, onVerdict);
  sending.begin(deadlineMs);
  return sending;
}

/** A class, because there is one for each attempt. */
class ChannelSending implements Sending {
  readonly #channel: Channel;
  readonly #message: Message;
  readonly #options: SendOptions;
  readonly #onVerdict: (verdict: Verdict) => void;
  readonly #controller: AbortController | PlainCancellation;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(
    channel: Channel,
    message: Message,
    options: SendOptions,
    onVerdict: (verdict: Verdict) => void,
  ) {
    this.#channel = channel;
    this.#message = message;
    this.#options = options;
    this.#onVerdict = onVerdict;
    // An AbortSignal and its listeners cost as much as the signature.
    this.#controller = channel.takesCancellation ? new PlainCancellation() : new AbortController();
  }

  begin(deadlineMs: number): void {
    this.#timer = setTimeout(expire, deadlineMs, this, deadlineMs);
    const { signal } = this.#controller;
    outside(() =>
      callChannel(this.#channel, this.#message, signal, this.#options.lifecycle, (verdict) =>
        this.#reported(verdict),
      ),
    );
  }

  end(ours: Verdict, momentMs = 0): void {
    if (this.#isOver) return;
    clearTimeout(this.#timer);
    this.#controller.abort();
    if (momentMs > 0) this.#timer = setTimeout(() => this.#settle(ours), momentMs);
    else this.#settle(ours);
  }

  #reported(theirs: Verdict): void {
    if (this.#isOver) return;
    const { secrets } = this.#options;
    this.#settle(redacted(theirs, () => secretsOf(this.#message, this.#channel, secrets)));
  }

  #settle(verdict: Verdict): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#onVerdict(verdict);
  }
}

function expire(sending: Sending, deadlineMs: number): void {
  sending.end(failed('timeout', `no result within ${deadlineMs} ms`));
}

/** As `withoutSecrets`. Where the secrets cannot be determined, no text of the verdict is kept. Never throws. */
function redacted(verdict: Verdict, secretTexts: () => readonly string[]): Verdict {
  try {
    return withoutSecrets(verdict, secretTexts);
  } catch (error) {
    return failed('channel_error', `its answer could not be redacted: ${describeType(error)} was thrown`);
  }
}

/** Redacts secrets from what goes on record: a receiver may echo them, and a channel may throw them. */
function withoutSecrets(verdict: Verdict, secretTexts: () => readonly string[]): Verdict {
  const { response = '' } = verdict;
  const message = verdict.outcome === 'delivered' ? '' : verdict.message;
  if (response.length < minSecretLength && message.length < minSecretLength) return verdict;
  const texts = secretTexts();
  if (texts.length === 0) return verdict;
  return {
    ...verdict,
    ...(response !== '' && { response: redact(response, texts) }),
    ...(message !== '' && { message: redact(message, texts) }),
  };
}

const secretsOf = (message: Message, { type }: Channel, secrets: WebhookSecrets): readonly string[] => [
  // A key without its prefix is as secret as with it.
  ...message.secrets.map((secret) => secret.reveal().replace(/^whs[a-z]+_/, '')),
  ...secrets.configs.textsIn(type, message.configs),
];

/** The record of an attempt. */
export function attemptRecord(
  id: string,
  { deliveryId, attempt }: Claim,
  startedAt: Date,
  verdict: Exclude<Verdict, RateLimited>,
  durationMs: number,
): Attempt {
  const isDelivered = verdict.outcome === 'delivered';
  return {
    id,
    deliveryId,
    number: attempt,
    startedAt,
    durationMs,
    outcome: verdict.outcome,
    kind: isDelivered ? null : verdict.kind,
    message: isDelivered ? null : truncate(verdict.message, maxMessage),
    status: verdict.status ?? null,
    response: verdict.response ?? null,
  };
}

/** The record of an attempt whose worker was lost. The receiver may have got it, or not. */
export const lostRecord = (id: string, { deliveryId, attempt }: Claim, startedAt: Date): Attempt => ({
  ...{ id, deliveryId, number: attempt, startedAt, durationMs: 0 },
  outcome: 'unknown',
  kind: 'worker_lost',
  message: 'the process that sent it was lost before it wrote the outcome',
  status: null,
  response: null,
});

import { PlainCancellation } from '../channels/cancellation.js';
import type { Channel, Message } from '../channels/channel.js';
import { digestOf } from '../channels/digest.js';
import { type Busy, failed, type Verdict } from '../channels/verdict.js';
import { maxTimerMs } from '../duration.js';
import { kindOf } from '../errors.js';
import type { Announcer } from '../lifecycle.js';
import type { Attempt } from '../models/models.js';
import { minSecretLength, redact } from '../secrets/redact.js';
import type { WebhookSecrets } from '../secrets/webhook-secrets.js';
import type { Claim } from '../storage/ports.js';
import { type BoundClaim, ClaimedMessage } from './message.js';
import { outside } from './outside.js';
import { ask, cut, thrown } from './said.js';

/** How much of an error's message is kept. */
const maxMessage = 1024;

export interface SendOptions {
  readonly channels: ReadonlyMap<string, Channel>;
  readonly secrets: WebhookSecrets;
  /** Where a channel has none of its own. */
  readonly attemptDeadlineMs: number;
  readonly announcer: Announcer;
}

/** One try under way. */
export interface Sending {
  /** Aborts it. Unless the channel says within `momentMs` how it went, by default no time, the verdict is ours. */
  end(verdict: Verdict, momentMs?: number): void;
}

/**
 * Hands a claim to its channel, and tells what that said, or what became of it: once, at the deadline at the latest, whether
 * the channel heeds the signal or not. Undefined where it could not be sent, which has been told.
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
  if (digestOf(claim) && !channel.takesDigests) {
    return notSent(failed('config', 'the channel of this type does not write digests'));
  }
  let message: Message;
  try {
    message = new ClaimedMessage(claim, startedAt, secrets);
  } catch (error) {
    // Nothing is ever sent without its signature, or with a secret that cannot be read.
    return notSent(failed('config', (error as Error).message));
  }
  let deadlineMs: number;
  try {
    deadlineMs = channel.deadlineMs?.(message.configs) ?? attemptDeadlineMs;
  } catch (error) {
    return notSent(thrown(error));
  }
  if (!(typeof deadlineMs === 'number' && deadlineMs > 0 && deadlineMs <= maxTimerMs)) {
    return notSent(failed('channel_error', 'its deadlineMs is no time that one can wait'));
  }
  const sending = new ChannelSending(channel, message, options, onVerdict);
  sending.begin(deadlineMs);
  return sending;
}

/** A message that its channel has. A class, because there is one for each attempt. */
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
    // The signal and its listeners would cost as much as the signature.
    this.#controller = channel.takesCancellation ? new PlainCancellation() : new AbortController();
  }

  begin(deadlineMs: number): void {
    this.#timer = setTimeout(expire, deadlineMs, this, deadlineMs);
    const { signal } = this.#controller;
    outside(() =>
      ask(this.#channel, this.#message, signal, this.#options.announcer, (said) => this.#said(said)),
    );
  }

  end(ours: Verdict, momentMs = 0): void {
    if (this.#isOver) return;
    clearTimeout(this.#timer);
    this.#controller.abort();
    if (momentMs > 0) this.#timer = setTimeout(() => this.#settle(ours), momentMs);
    else this.#settle(ours);
  }

  #said(theirs: Verdict): void {
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

/** As `withoutSecrets`; where what is secret cannot be found out, nothing of what was said is kept. Never throws. */
function redacted(verdict: Verdict, secretTexts: () => readonly string[]): Verdict {
  try {
    return withoutSecrets(verdict, secretTexts);
  } catch (error) {
    return failed('channel_error', `what it said could not be read: ${kindOf(error)} was thrown`);
  }
}

/** Nothing that is secret goes on record, whoever repeats it: a receiver that echoes, or a channel that throws. */
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
  // Without its prefix a key is as good as with it.
  ...message.secrets.map((secret) => secret.reveal().replace(/^whs[a-z]+_/, '')),
  ...secrets.configs.textsIn(type, message.configs),
];

/** The record of an attempt. */
export function attemptRecord(
  id: string,
  { deliveryId, attempt }: Claim,
  startedAt: Date,
  verdict: Exclude<Verdict, Busy>,
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
    message: isDelivered ? null : cut(verdict.message, maxMessage),
    status: verdict.status ?? null,
    response: verdict.response ?? null,
  };
}

/** The record of an attempt whose worker was lost: it may have arrived, or not. */
export const lostRecord = (id: string, { deliveryId, attempt }: Claim, startedAt: Date): Attempt => ({
  ...{ id, deliveryId, number: attempt, startedAt, durationMs: 0 },
  outcome: 'unknown',
  kind: 'worker_lost',
  message: 'the process that sent it was lost before it wrote how it went',
  status: null,
  response: null,
});

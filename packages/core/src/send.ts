import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import type { Channel, DigestedEvent, Message } from './channel.js';
import { digested, digestOf } from './digest.js';
import { maxTimerMs } from './duration.js';
import { kindOf } from './errors.js';
import type { Announcer } from './lifecycle.js';
import type { Secret } from './mask.js';
import type { Attempt, ChannelBinding, Event } from './models.js';
import { outside } from './outside.js';
import type { Claim } from './ports.js';
import { minSecretLength, redact } from './redact.js';
import { ask, cut, thrown } from './said.js';
import { type Busy, failed, type Verdict } from './verdict.js';
import type { WebhookSecrets } from './webhook-secrets.js';

/** How much of an error's message is kept. */
const maxMessage = 1024;

export interface SendOptions {
  readonly channels: ReadonlyMap<string, Channel>;
  readonly secrets: WebhookSecrets;
  /** Where a channel has none of its own. */
  readonly attemptDeadlineMs: number;
  readonly announcer: Announcer;
}

/** A claim whose webhook still has the binding. */
export type BoundClaim = Claim & { readonly binding: ChannelBinding };

/** An event as one channel gets it; others may get the same one. Field by field: this is done for every attempt. */
function asSent(event: Event): Event {
  const { id, tenantId, type, payload, occurredAt, namespaceId, subject, cacheScope, orderingKey } = event;
  return Object.freeze({
    id,
    tenantId,
    type,
    payload,
    occurredAt: new Date(occurredAt),
    namespaceId,
    subject: subject && Object.freeze({ ...subject }),
    cacheScope,
    orderingKey,
  });
}

/** What a channel gets of a claim: frozen, as other deliveries share what is in it. Printed or written as JSON, it shows nothing secret. */
export class ClaimedMessage implements Message {
  readonly deliveryId: string;
  readonly attempt: number;
  readonly attemptsBefore: number;
  readonly startedAt: Date;
  readonly event: Event;
  readonly webhook: Message['webhook'];
  readonly configs: unknown;
  readonly secrets: readonly Secret[];
  declare readonly memo?: string;
  declare readonly digest?: readonly DigestedEvent[];
  readonly #readable: () => unknown;
  #payload: { readonly parsed: unknown } | undefined;

  /** Throws `secret_unreadable`. */
  constructor(claim: BoundClaim, startedAt: Date, secrets: WebhookSecrets) {
    const { deliveryId, attempt, attemptsBefore, event, webhook, binding, memo } = claim;
    const { id, tenantId, name } = webhook;
    const digest = digestOf(claim);
    this.deliveryId = deliveryId;
    this.attempt = attempt;
    this.attemptsBefore = attemptsBefore;
    // Copies: the record of the attempt, and other deliveries of the event, are not for the channel to change.
    this.startedAt = new Date(startedAt);
    this.event = asSent(event);
    this.webhook = Object.freeze({ id, tenantId, name });
    this.configs = secrets.openConfigs(webhook, binding);
    const holding = secrets
      .openAll(webhook, webhook.secrets)
      .filter(({ expiresAt }) => expiresAt === null || expiresAt > startedAt);
    this.secrets = Object.freeze(holding.map(({ secret }) => secret));
    if (memo !== undefined) this.memo = memo;
    if (digest) this.digest = Object.freeze(digested(digest.map(asSent)).map((one) => Object.freeze(one)));
    this.#readable = () => ({ ...this, configs: secrets.maskConfigs(binding.channel, this.configs) });
    Object.freeze(this);
  }

  toJSON(): unknown {
    return this.#readable();
  }

  [inspect.custom](): unknown {
    return this.#readable();
  }

  /** Parsed when it is asked for: the HTTP channel never does. */
  get payload(): unknown {
    this.#payload ??= { parsed: JSON.parse(this.event.payload) };
    return this.#payload.parsed;
  }
}

/** One try under way. */
export interface Sending {
  /** Aborts it. Unless the channel says within `momentMs` how it went, by default no time, the verdict is ours. */
  end(verdict: Verdict, momentMs?: number): void;
}

/** Signals that were let go of, not aborted, and not listened to. */
const spareControllers: AbortController[] = [];

function giveBack(controller: AbortController): void {
  const { signal } = controller;
  const isUnused = !signal.aborted && getEventListeners(signal, 'abort').length === 0;
  if (isUnused && spareControllers.length < 1_000) spareControllers.push(controller);
}

/**
 * Hands a claim to its channel, and tells what that said, or what became of it: once, at the deadline at the latest, whether
 * the channel heeds the signal or not. Undefined where it could not be sent, which has been told.
 */
export function send(
  claim: BoundClaim,
  startedAt: Date,
  { channels, secrets, attemptDeadlineMs, announcer }: SendOptions,
  onVerdict: (verdict: Verdict) => void,
): Sending | undefined {
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
  const controller = (channel.letsGoOfSignal && spareControllers.pop()) || new AbortController();
  let isOver = false;
  const settle = (value: Verdict): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    onVerdict(value);
  };
  const end: Sending['end'] = (ours, momentMs = 0) => {
    if (isOver) return;
    clearTimeout(timer);
    controller.abort();
    if (momentMs > 0) timer = setTimeout(() => settle(ours), momentMs);
    else settle(ours);
  };
  let timer = setTimeout(() => end(failed('timeout', `no result within ${deadlineMs} ms`)), deadlineMs);
  const onSaid = (theirs: Verdict): void => {
    if (!isOver) settle(redacted(theirs, () => secretsOf(message, channel, secrets)));
    if (channel.letsGoOfSignal) giveBack(controller);
  };
  outside(() => ask(channel, message, controller.signal, announcer, onSaid));
  return { end };
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
  ...secrets.textsIn(type, message.configs),
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

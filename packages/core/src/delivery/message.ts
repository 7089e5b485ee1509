import { inspect } from 'node:util';
import type { DigestedEvent, Message } from '../channels/channel.js';
import { digested, digestOf } from '../channels/digest.js';
import type { Secret } from '../channels/mask.js';
import type { WebhookEvent } from '../models/event.js';
import type { ChannelBinding } from '../models/webhook.js';
import type { ConfigSecrets } from '../secrets/config-secrets.js';
import type { WebhookSecrets } from '../secrets/webhook-secrets.js';
import type { Claim } from '../storage/ports.js';

/** A claim whose webhook still has the binding. */
export type BoundClaim = Claim & { readonly binding: ChannelBinding };

/** A copy of the event for one channel. Field by field, as every attempt makes one. */
function asSent(event: WebhookEvent): WebhookEvent {
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

/** The message that a channel gets for a claim. Frozen, as other deliveries share its parts. Its JSON and its `inspect` mask secrets. */
export class ClaimedMessage implements Message {
  readonly deliveryId: string;
  readonly attempt: number;
  readonly attemptsBeforeRetry: number;
  readonly startedAt: Date;
  readonly event: WebhookEvent;
  readonly webhook: Message['webhook'];
  readonly configs: unknown;
  readonly secrets: readonly Secret[];
  declare readonly checkpoint?: string;
  declare readonly digest?: readonly DigestedEvent[];
  readonly #channel: string;
  readonly #configSecrets: ConfigSecrets;
  #payload: { readonly parsed: unknown } | undefined;

  /** Throws `secret_unreadable`. */
  constructor(claim: BoundClaim, startedAt: Date, secrets: WebhookSecrets) {
    const { deliveryId, attempt, attemptsBeforeRetry, event, webhook, binding, checkpoint } = claim;
    const { id, tenantId, name } = webhook;
    const digest = digestOf(claim);
    this.deliveryId = deliveryId;
    this.attempt = attempt;
    this.attemptsBeforeRetry = attemptsBeforeRetry;
    // Copies: the channel must not change the record of the attempt, or other deliveries of the event.
    this.startedAt = new Date(startedAt);
    this.event = asSent(event);
    this.webhook = Object.freeze({ id, tenantId, name });
    this.configs = secrets.configs.decrypt(webhook, binding);
    this.secrets = secrets.signingKeys.holding(webhook, webhook.secrets, startedAt);
    if (checkpoint !== undefined) this.checkpoint = checkpoint;
    if (digest) this.digest = Object.freeze(digested(digest.map(asSent)).map((one) => Object.freeze(one)));
    this.#channel = binding.channel;
    this.#configSecrets = secrets.configs;
    Object.freeze(this);
  }

  toJSON(): unknown {
    return { ...this, configs: this.#configSecrets.mask(this.#channel, this.configs) };
  }

  [inspect.custom](): unknown {
    return this.toJSON();
  }

  /** Parsed on first use. The HTTP channel never needs it. */
  get payload(): unknown {
    this.#payload ??= { parsed: JSON.parse(this.event.payload) };
    return this.#payload.parsed;
  }
}

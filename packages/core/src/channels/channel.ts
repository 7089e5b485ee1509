import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { WebhookEvent } from '../models/event.js';
import type { ChannelBindingInput, Webhook } from '../models/webhook.js';
import type { Secret } from './mask.js';
import type { SecretPath } from './secret-paths.js';
import type { Verdict } from './verdict.js';

/** The message that a channel sends. It is deeply frozen, configs included: copy it to change it. */
export interface Message<Configs = unknown> {
  /** The same for every attempt, and unique. For a digest it is the id of the digest, `dig_…`. */
  readonly deliveryId: string;
  readonly attempt: number;
  /** How many attempts came before the last manual retry. */
  readonly attemptsBeforeRetry: number;
  /** When this attempt began. */
  readonly startedAt: Date;
  readonly event: WebhookEvent;
  /** The event's payload, parsed. `event.payload` is its text. */
  readonly payload: unknown;
  readonly webhook: Pick<Webhook, 'id' | 'tenantId' | 'name'>;
  /** The configs of the channel binding, as the channel's schema returned them. */
  readonly configs: Configs;
  /** The signing keys of the webhook that are valid now, newest first. */
  readonly secrets: readonly Secret[];
  /** What an earlier attempt left for this one: the `checkpoint` of the last verdict that had one. */
  readonly checkpoint?: string;
  /** For a digest: all its events, one or more, in order of publication. `event` and `payload` are those of the first. */
  readonly digest?: readonly DigestedEvent[];
}

/** One event of a digest. */
export interface DigestedEvent {
  readonly event: WebhookEvent;
  /** Its payload, parsed. */
  readonly payload: unknown;
}

/** A part of what would be sent, for people to look at: the body of a request, the subject of an email. */
export interface PreviewPart {
  readonly name: string;
  /** Its media type: `application/json`, `text/html`, `text/plain`, … */
  readonly type: string;
  readonly text: string;
}

/**
 * A way to reach a receiver. A channel of your own takes 25 lines: see docs/writing-a-channel.md. With its `Type`, such as
 * `'webhook'`, the dispatcher types what webhooks give it. `Input` is what they give where the schema changes it, such as by
 * a default.
 */
export interface Channel<Configs = unknown, Type extends string = string, Input = Configs> {
  /** The name by which webhooks refer to it: `webhook`, `slack`, … */
  readonly type: Type;
  /** Checks the configs of a binding when its webhook is saved. Its output is stored. It may use the network. */
  readonly config: StandardSchemaV1<Input, Configs>;
  /**
   * Which parts of the configs are secret. Secrets are encrypted at rest where the dispatcher has keys, masked wherever
   * configs are read, and redacted from responses and error messages. Only text can be secret: a number at such a path is
   * refused when a webhook is saved. Default: none.
   */
  readonly secretPaths?: readonly SecretPath[];
  /**
   * Makes one attempt and resolves to its verdict. `signal` aborts at the deadline, when the lease is lost, and when the
   * grace time of a stop is over. A later verdict is ignored, with one exception: for 250 ms after the grace time, a verdict
   * that is `delivered` or leaves a checkpoint still counts. An error that it throws counts as `failed`.
   */
  send(message: Message<Configs>, signal: AbortSignal): Promise<Verdict>;
  /**
   * Whether `send` needs no more than a `Cancellation` as its signal, as `outbound.request` does. That costs a tenth of an
   * AbortSignal. Default false: the signal is an AbortSignal.
   */
  readonly takesCancellation?: boolean;
  /**
   * Renders what `send` would send, without sending it and without secrets. Rejects with `invalid_template` where it cannot
   * be rendered. Default: there is no preview.
   */
  preview?(message: Message<Configs>): Promise<readonly PreviewPart[]>;
  /** Whether `send` writes all events of a message's `digest`. Default false: bindings of this channel cannot have digests. */
  readonly supportsDigests?: boolean;
  /** The deadline of one attempt. Default: the dispatcher's `attemptDeadline`. */
  deadlineMs?(configs: Configs): number;
}

/** A channel of any type, with any configs. */
// biome-ignore lint/suspicious/noExplicitAny: each channel has configs of its own, and checks them itself.
export type AnyChannel = Channel<any>;

/** The bindings that webhooks may have with these channels, each with the configs of its channel. */
export type BindingInputOf<
  Channels extends AnyChannel,
  ChannelType extends string = Channels['type'],
> = Channels extends AnyChannel
  ? ChannelBindingInput<Channels['type'], StandardSchemaV1.InferInput<Channels['config']>, ChannelType>
  : never;

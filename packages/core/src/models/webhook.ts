import { z } from 'zod';
import { type Duration, toMs } from '../duration.js';
import {
  bindingIdSchema,
  defaultTenant,
  nameSchema,
  pattern,
  tenantIdSchema,
  text,
  webhookIdSchema,
} from './fields.js';

/*
 * A webhook is a subscription: these event types, to these channels, for this tenant. Each of its channel bindings is one
 * way to reach a receiver: a channel by its type, and the configs for it.
 */

/** Begins a binding only after another one has failed. */
interface Escalation<ChannelType extends string = string> {
  /** The other binding of the webhook, by its channel or its id. */
  readonly channel: ChannelType | `ch_${string}`;
  /** After how many failed attempts for an event, 1 to 100, or sooner if its delivery is dead. A cancelled one begins nothing. */
  readonly failedAttempts: number;
}

/** Gathers events into one message. Ordering keys do not apply within a digest. */
interface DigestSettings {
  /** How long events gather after the first one: 1 second to 7 days, such as `'10m'`. */
  readonly window: Duration;
  /** The digest is sent sooner with this many events: 2 to 1,000. Default 100. */
  readonly maxEvents?: number | undefined;
  /**
   * The digest is sent sooner with this many bytes of payload: 1,024 to 16,777,216. A single larger event is sent alone.
   * Default {@link defaultDigestBytes}.
   */
  readonly maxBytes?: number | undefined;
}

/** With the default filled in. */
interface StoredDigestSettings extends DigestSettings {
  readonly maxEvents: number;
}

/**
 * One way in which a webhook reaches a receiver, as it is given. `ChannelType` is the channel's own type, `AnyType` that of any
 * channel of the dispatcher.
 */
export interface ChannelBindingInput<
  ChannelType extends string = string,
  Configs = unknown,
  AnyType extends string = string,
> {
  /** The type of a channel of the dispatcher, such as `webhook` or `slack`. */
  readonly channel: ChannelType;
  /** The settings of the channel, checked by its schema: a URL, a template, recipients. */
  readonly configs: Configs;
  /** Begins only after another binding of the webhook has failed. Default: begins with the event. */
  readonly onlyAfter?: Escalation<AnyType> | undefined;
  /** Gathers events into one message. Default: each event is sent by itself. */
  readonly digest?: DigestSettings | undefined;
}

/** One way in which a webhook reaches a receiver. Its `id` stays when its configs change, and so do its pending deliveries. */
export interface ChannelBinding {
  /** `ch_` and 10 letters or digits. */
  readonly id: string;
  readonly channel: string;
  readonly configs: unknown;
  readonly onlyAfter?: Escalation | undefined;
  readonly digest?: StoredDigestSettings | undefined;
}

/** A subscription of one tenant. */
export interface Webhook {
  /** `wh_` and 10 letters or digits. */
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  /** Event types and patterns; `*` is every event. */
  readonly eventTypes: readonly string[];
  /** An event goes to all of them. */
  readonly channels: readonly ChannelBinding[];
  /** Whether it gets deliveries. While false it is paused: it gets no new ones, and its pending ones wait. */
  readonly isActive: boolean;
  /** Why the engine disabled it: the answer of a receiver that is gone. Null while active, or paused by the application. */
  readonly disabledReason: string | null;
  /** Counts every write. A write that names an older version is refused. */
  readonly version: number;
  readonly createdAt: Date;
  /** Changes with name, event types, channels, `isActive` and `disabledReason`, and with nothing else. */
  readonly updatedAt: Date;
}

/** What `webhooks.create` takes. Unknown fields are refused with `invalid_webhook`. */
export interface WebhookInput<Pattern extends string = string, Binding = ChannelBindingInput> {
  /** `wh_` and 10 letters or digits, for ids of your own. Default: made by the engine. */
  readonly id?: string | undefined;
  /** Default: {@link defaultTenant}. */
  readonly tenantId?: string | undefined;
  /** For people: 1 to 200 characters, without control characters. */
  readonly name: string;
  /** 1 to 1,000 event types and patterns, such as `order.created`, `order.*` or `*`. */
  readonly eventTypes: readonly Pattern[];
  /** 1 to 50 ways to reach receivers. An event goes to all of them. */
  readonly channels: readonly Binding[];
  /** False creates it paused. Default true. */
  readonly isActive?: boolean | undefined;
  /** A signing secret of your own, `whsec_…` or `whsk_…`, in either alphabet of base64. Default: made by the engine. */
  readonly secret?: string | undefined;
}

/** Says which present binding of the webhook a given one replaces. */
interface BindingId {
  /** `ch_` and 10 letters or digits, as `webhooks.get` shows it. */
  readonly id?: string | undefined;
}

/** What `webhooks.update` takes. A field that is left out stays as it is. */
export interface WebhookPatch<Pattern extends string = string, Binding = ChannelBindingInput> {
  /** For people: 1 to 200 characters, without control characters. */
  readonly name?: string | undefined;
  /** Replaces all event types and patterns: 1 to 1,000. */
  readonly eventTypes?: readonly Pattern[] | undefined;
  /**
   * Replaces all bindings. A binding that keeps its `id` keeps its pending deliveries and the secrets behind its masks. A
   * binding without an id is matched with a present one: the one of its channel that reads the same, or else the next one of
   * its channel in order.
   */
  readonly channels?: readonly (Binding & BindingId)[] | undefined;
  /** Whether it gets deliveries. False pauses it: its pending deliveries wait. */
  readonly isActive?: boolean | undefined;
}

const window = z.custom<Duration>().transform((value, context) => {
  try {
    const ms = toMs(value, 'window');
    if (ms >= 1_000 && ms <= maxWindowMs) return ms as Duration;
  } catch {
    // The issue below covers it.
  }
  context.addIssue("must be a time from a second to 7 days, like '10m'");
  return z.NEVER;
});
const maxWindowMs = 7 * 24 * 3_600_000;

/** The limit of a digest in bytes of payload where its binding sets none: a receiver that takes 1 MB takes it. */
export const defaultDigestBytes: number = 512 * 1024;

/** A {@link ChannelBinding} as it is stored. */
export const channelBindingSchema = z.strictObject({
  id: bindingIdSchema,
  channel: text(64),
  configs: z.unknown(),
  onlyAfter: z.strictObject({ channel: text(64), failedAttempts: z.int().min(1).max(100) }).optional(),
  digest: z
    .strictObject({
      window,
      maxEvents: z.int().min(2).max(1_000).default(100),
      maxBytes: z.int().min(1_024).max(16_777_216).optional(),
    })
    .optional(),
});

const bindings = <Binding extends z.ZodType>(binding: Binding): z.ZodArray<Binding> =>
  z
    .array(binding)
    .min(1, { error: 'must hold at least one channel' })
    .max(50, { error: 'must hold at most 50 channels' });

const eventTypes = z
  .array(pattern)
  .min(1, { error: 'must hold at least one event type or pattern' })
  .max(1000, { error: 'must hold at most 1000 event types' });

/** A {@link Webhook}. */
export const webhookSchema = z.strictObject({
  id: webhookIdSchema,
  tenantId: tenantIdSchema,
  name: nameSchema,
  eventTypes,
  channels: bindings(channelBindingSchema),
  isActive: z.boolean(),
  disabledReason: z.string().max(500).nullable(),
  version: z.int().min(1),
  createdAt: z.date(),
  updatedAt: z.date(),
});

/** A {@link WebhookInput}. */
export const webhookInputSchema = z.strictObject({
  id: webhookIdSchema.optional(),
  tenantId: tenantIdSchema.default(defaultTenant),
  name: nameSchema,
  eventTypes,
  channels: bindings(channelBindingSchema.omit({ id: true })),
  isActive: z.boolean().default(true),
  secret: z.string().optional(),
});

/** A {@link WebhookPatch}. */
export const webhookPatchSchema = webhookInputSchema
  .pick({ name: true, eventTypes: true })
  .extend({
    channels: bindings(channelBindingSchema.partial({ id: true })),
    isActive: z.boolean(),
  })
  .partial();

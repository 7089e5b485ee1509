import { z } from 'zod';
import { type Duration, toMs } from '../duration.js';
import { grammarFault } from '../match.js';
import { failureKindSchema } from './failures.js';

/*
 * The five nouns. A webhook is a standing order: these event types, to these channels, for this tenant. An event
 * is something that happened in the application. A channel is a way to reach someone; a webhook has one or more
 * channel bindings. A delivery is one event on its way to one binding. An attempt is one try at a delivery.
 *
 * In TypeScript names are camelCase and instants are Dates; `configs` keep the names they have on the wire.
 */

/** The tenant of an application that has only one. */
export const defaultTenant = 'default';

/** Whose it is. Default: {@link defaultTenant}. */
export interface TenantOption {
  readonly tenantId?: string;
}

/** One of these texts; what is none of them is told which there are. */
export const oneOf = <const Values extends readonly [string, ...string[]]>(
  values: Values,
): z.ZodEnum<{ [Value in Values[number]]: Value }> =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

const id = (prefix: string, length: number): z.ZodString =>
  z.string().regex(new RegExp(`^${prefix}_[0-9A-Za-z]{${length}}$`), {
    error: `must be ${prefix}_ and ${length} letters or digits`,
  });

/** Counted in characters as people count them, not in UTF-16 units; every database can store it. */
const text = (max: number): z.ZodString =>
  z
    .string()
    .refine((value) => value.length > 0 && (value.length <= max || [...value].length <= max), {
      error: `must have 1 to ${max} characters`,
    })
    .refine((value) => !/[\p{Cc}\p{Cs}]/u.test(value), { error: 'must not hold control characters' });

const pattern = z.string().superRefine((value, context) => {
  const fault = grammarFault(value, true);
  if (fault) context.addIssue({ code: 'custom', message: fault });
});

const eventType = z.string().superRefine((value, context) => {
  const fault = grammarFault(value, false);
  if (fault) context.addIssue({ code: 'custom', message: fault });
});

export const webhookIdSchema: z.ZodString = id('wh', 10);
export const bindingIdSchema: z.ZodString = id('ch', 10);
export const eventIdSchema: z.ZodString = id('evt', 22);
export const deliveryIdSchema: z.ZodString = id('dlv', 32);
export const attemptIdSchema: z.ZodString = id('att', 22);
export const apiKeyIdSchema: z.ZodString = id('key', 10);
export const tenantIdSchema: z.ZodString = text(200);
/** Of a webhook, of a key: for people. */
export const nameSchema: z.ZodString = text(200);

const window = z.custom<Duration>().transform((value, context) => {
  try {
    const ms = toMs(value, 'window');
    if (ms >= 1_000 && ms <= maxWindowMs) return ms as Duration;
  } catch {
    // Said below, as of any other.
  }
  context.addIssue("must be a time from a second to 7 days, like '10m'");
  return z.NEVER;
});
const maxWindowMs = 7 * 24 * 3_600_000;

/** As many bytes of payload a digest has at most where its binding says nothing: a receiver that takes 1 MB takes it. */
export const defaultDigestBytes: number = 512 * 1024;

/** One way a webhook reaches someone. Its `id` stays when its configs change, so what is pending follows it. */
export const channelBindingSchema = z.strictObject({
  id: bindingIdSchema,
  channel: text(64),
  configs: z.unknown(),
  /**
   * Begins only where another binding of the webhook, named by its channel or its id, has failed so many times for an
   * event, or its delivery is dead. One that is cancelled begins nothing. Left out: with the event.
   */
  onlyAfter: z.strictObject({ channel: text(64), failedAttempts: z.int().min(1).max(100) }).optional(),
  /**
   * Gathers events for so long since the first one, and sends at most so many as one message, and at most so many bytes of
   * payload, by default {@link defaultDigestBytes}; sooner when as many are there. One that is larger goes alone. Ordering
   * keys do not hold in it. Left out: each event goes by itself.
   */
  digest: z
    .strictObject({
      window,
      maxEvents: z.int().min(2).max(1_000).default(100),
      maxBytes: z.int().min(1_024).max(16_777_216).optional(),
    })
    .optional(),
});
export type ChannelBinding = Readonly<z.infer<typeof channelBindingSchema>>;

const bindings = <Binding extends z.ZodType>(binding: Binding): z.ZodArray<Binding> =>
  z
    .array(binding)
    .min(1, { error: 'must hold at least one channel' })
    .max(50, { error: 'must hold at most 50 channels' });

const eventTypes = z
  .array(pattern)
  .min(1, { error: 'must hold at least one event type or pattern' })
  .max(1000, { error: 'must hold at most 1000 event types' });

export const webhookSchema = z.strictObject({
  id: webhookIdSchema,
  tenantId: tenantIdSchema,
  name: nameSchema,
  /** Event types and patterns; `*` is every event. */
  eventTypes,
  /** An event goes to all of them. */
  channels: bindings(channelBindingSchema),
  /** While false the webhook is paused: it gets no new deliveries, and its pending ones wait. */
  isActive: z.boolean(),
  /** Why the engine itself paused it: what a receiver that is gone said. Null while active, or paused by the application. */
  disabledReason: z.string().max(500).nullable(),
  /** Counts every write; a write that names an older one is refused. */
  version: z.int().min(1),
  /** Set once. */
  createdAt: z.date(),
  /** Moves when name, event types, channels, `isActive` or `disabledReason` change, and only then. */
  updatedAt: z.date(),
});
export type Webhook = Readonly<Omit<z.infer<typeof webhookSchema>, 'eventTypes' | 'channels'>> & {
  readonly eventTypes: readonly string[];
  readonly channels: readonly ChannelBinding[];
};

/** What an application hands to `webhooks.create`. Unknown fields are refused. */
export const webhookInputSchema = z.strictObject({
  id: webhookIdSchema.optional(),
  tenantId: tenantIdSchema.default(defaultTenant),
  name: nameSchema,
  eventTypes,
  channels: bindings(channelBindingSchema.omit({ id: true })),
  isActive: z.boolean().default(true),
  /** `whsec_…` or `whsk_…` of its own, in either alphabet of base64; made by the engine where it is left out. */
  secret: z.string().optional(),
});
export type WebhookInput = z.input<typeof webhookInputSchema>;

/** What `webhooks.update` may change. What is left out stays; `createdAt` and ids cannot be changed. */
export const webhookPatchSchema = webhookInputSchema
  .pick({ name: true, eventTypes: true })
  .extend({
    /**
     * A binding that keeps its `id` keeps what is pending for it, and what is stored behind its masks. One without is the
     * present one of its channel with the same configs as a reader sees them, else the one in its place among the rest.
     */
    channels: bindings(channelBindingSchema.partial({ id: true })),
    isActive: z.boolean(),
  })
  .partial();
export type WebhookPatch = z.input<typeof webhookPatchSchema>;

const subject = z.strictObject({ type: text(200), id: text(200) });

export const eventSchema = z.strictObject({
  id: eventIdSchema,
  tenantId: tenantIdSchema,
  type: eventType,
  /** The payload's JSON text, byte for byte as it was dispatched. */
  payload: z.string(),
  occurredAt: z.date(),
  /** Where in the application it happened, if the application says so. */
  namespaceId: text(200).nullable(),
  /** What it happened to. */
  subject: subject.nullable(),
  /** What receivers may have cached of it, as JSON text; left out of the wire where null. */
  cacheScope: z.string().nullable(),
  /** Its deliveries to one channel binding wait for those of earlier events with the same key; null: in no order. */
  orderingKey: text(255).nullable(),
});
export type Event = Readonly<z.infer<typeof eventSchema>>;

/** What may be said of an event besides its type and payload. */
export const eventDetailsSchema = z.strictObject({
  tenantId: tenantIdSchema.default(defaultTenant),
  occurredAt: z
    .date()
    .refine((at) => at.getTime() >= 0 && at.getUTCFullYear() <= 9999, { error: 'must lie in 1970 to 9999' })
    .optional(),
  namespaceId: text(200).nullable().default(null),
  subject: subject.nullable().default(null),
  cacheScope: z.record(z.string(), z.unknown()).nullable().default(null),
  idempotencyKey: text(255).optional(),
  orderingKey: text(255).nullable().default(null),
});
export type EventDetails = z.input<typeof eventDetailsSchema>;

/**
 * Where a delivery stands. `pending` waits for its due time, `sending` is leased to a worker; the rest are final
 * until someone asks for a retry: `dead` after a refusal or the last attempt, `cancelled` by the application.
 */
export const deliveryStatusSchema = oneOf(['pending', 'sending', 'delivered', 'dead', 'cancelled']);
export type DeliveryStatus = z.infer<typeof deliveryStatusSchema>;

export const deliverySchema = z.strictObject({
  id: deliveryIdSchema,
  tenantId: tenantIdSchema,
  eventId: eventIdSchema,
  eventType,
  webhookId: webhookIdSchema,
  bindingId: bindingIdSchema,
  channel: z.string(),
  status: deliveryStatusSchema,
  /** How many attempts have begun: each was sent, or may have been. */
  attempts: z.int().min(0),
  /** How many of them lie before the last manual retry: the retry schedule counts from there. */
  attemptsBefore: z.int().min(0),
  /** When the next attempt may begin; null unless `pending`. */
  dueAt: z.date().nullable(),
  /** When its event was published, also of one that began after another had failed. */
  createdAt: z.date(),
  /** When it became final; null while it is not. */
  finishedAt: z.date().nullable(),
});
export type Delivery = Readonly<z.infer<typeof deliverySchema>>;

/** What a channel said of one attempt; `unknown` where its worker was lost before it wrote that. */
export const outcomeSchema = z.enum(['delivered', 'failed', 'rejected', 'gone', 'unknown']);
export type Outcome = z.infer<typeof outcomeSchema>;

export const attemptSchema = z.strictObject({
  id: attemptIdSchema,
  deliveryId: deliveryIdSchema,
  /** 1 for the first; goes on counting after a manual retry. */
  number: z.int().min(1),
  /** By the storage's clock. */
  startedAt: z.date(),
  /** 0 where it is unknown. */
  durationMs: z.int().min(0),
  outcome: outcomeSchema,
  kind: failureKindSchema.nullable(),
  /** What went wrong, for people. */
  message: z.string().nullable(),
  /** The receiver's status code, as it came (0 to 999). */
  status: z.int().min(0).max(999).nullable(),
  /** The beginning of the receiver's answer, 16 Ki characters at most. */
  response: z.string().nullable(),
});
export type Attempt = Readonly<z.infer<typeof attemptSchema>>;

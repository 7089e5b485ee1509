import { z } from 'zod';
import { defaultTenant, eventIdSchema, eventType, tenantIdSchema, text } from './fields.js';

/*
 * An event is something that happened in the application. It is stored once, whatever the number of its deliveries.
 */

/** What an event happened to. */
interface Subject {
  /** 1 to 200 characters, such as `order`. */
  readonly type: string;
  /** 1 to 200 characters. */
  readonly id: string;
}

/** An event as it is stored. */
export interface WebhookEvent<Type extends string = string> {
  /** `evt_` and 22 letters or digits. Sorts by the millisecond in which it was made. */
  readonly id: string;
  readonly tenantId: string;
  readonly type: Type;
  /** The JSON text of the payload, byte for byte as it was dispatched. */
  readonly payload: string;
  readonly occurredAt: Date;
  readonly namespaceId: string | null;
  readonly subject: Subject | null;
  /** What receivers may have cached of the subject, as JSON text. Left out of the wire where null. */
  readonly cacheScope: string | null;
  /** Its deliveries to one channel binding wait for those of earlier events with the same key. Null: in no order. */
  readonly orderingKey: string | null;
}

/** What `dispatch` takes with an event, besides type and payload. */
export interface EventDetails {
  /** The tenant whose webhooks get it. Default: {@link defaultTenant}. */
  readonly tenantId?: string | undefined;
  /** When it happened, between the years 1970 and 9999. Default: the time of the call. */
  readonly occurredAt?: Date | undefined;
  /** Where in the application it happened: 1 to 200 characters. Default null. */
  readonly namespaceId?: string | null | undefined;
  /** What it happened to. Default null. */
  readonly subject?: Subject | null | undefined;
  /** What receivers may have cached of the subject, sent along as JSON. Default null. */
  readonly cacheScope?: Record<string, unknown> | null | undefined;
  /**
   * Makes the call safe to repeat: within 24 hours the same key and event have the first result, and another event rejects
   * with `idempotency_conflict`. 1 to 255 characters.
   */
  readonly idempotencyKey?: string | undefined;
  /**
   * Keeps order: deliveries of one channel binding with the same key are sent one after the other, as published. 1 to 255
   * characters. Default null: in no order.
   */
  readonly orderingKey?: string | null | undefined;
}

const subject = z.strictObject({ type: text(200), id: text(200) });

/** An {@link WebhookEvent}. */
export const eventSchema = z.strictObject({
  id: eventIdSchema,
  tenantId: tenantIdSchema,
  type: eventType,
  payload: z.string(),
  occurredAt: z.date(),
  namespaceId: text(200).nullable(),
  subject: subject.nullable(),
  cacheScope: z.string().nullable(),
  orderingKey: text(255).nullable(),
});

/** {@link EventDetails}. */
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

import { z } from 'zod';
import { type FailureKind, failureKindSchema } from './failure-kind.js';
import {
  attemptIdSchema,
  bindingIdSchema,
  deliveryIdSchema,
  eventIdSchema,
  eventType,
  oneOf,
  tenantIdSchema,
  webhookIdSchema,
} from './fields.js';

/*
 * A delivery is one event on its way to one channel binding. An attempt is one try at a delivery.
 */

/**
 * The state of a delivery. `pending` waits for its due time, `sending` is leased to a worker. The others are final until a
 * manual retry: `delivered`, `dead` after a refusal or the last attempt, `cancelled` by the application.
 */
export const deliveryStatusSchema = oneOf(['pending', 'sending', 'delivered', 'dead', 'cancelled']);
/** One of {@link deliveryStatusSchema}. */
export type DeliveryStatus = 'pending' | 'sending' | 'delivered' | 'dead' | 'cancelled';

/** One event on its way to one channel binding. */
export interface Delivery {
  /** `dlv_` and 32 letters or digits: the event's 22 and the binding's 10. */
  readonly id: string;
  readonly tenantId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly webhookId: string;
  readonly bindingId: string;
  readonly channel: string;
  readonly status: DeliveryStatus;
  /** How many attempts have begun: each was sent, or may have been. */
  readonly attempts: number;
  /** How many of them came before the last manual retry. The retry schedule counts from there. */
  readonly attemptsBeforeRetry: number;
  /** When the next attempt may begin. Null unless `pending`. */
  readonly dueAt: Date | null;
  /** When its event was published, also where the delivery began later, after another had failed. */
  readonly createdAt: Date;
  /** When it became final. Null while it is not. */
  readonly finishedAt: Date | null;
}

/** A {@link Delivery}. */
export const deliverySchema = z.strictObject({
  id: deliveryIdSchema,
  tenantId: tenantIdSchema,
  eventId: eventIdSchema,
  eventType,
  webhookId: webhookIdSchema,
  bindingId: bindingIdSchema,
  channel: z.string(),
  status: deliveryStatusSchema,
  attempts: z.int().min(0),
  attemptsBeforeRetry: z.int().min(0),
  dueAt: z.date().nullable(),
  createdAt: z.date(),
  finishedAt: z.date().nullable(),
});

/** The outcome of one attempt, as its channel reported it. `unknown`: its worker was lost before it wrote the outcome. */
export const outcomeSchema = z.enum(['delivered', 'failed', 'rejected', 'gone', 'unknown']);
/** One of {@link outcomeSchema}. */
export type Outcome = 'delivered' | 'failed' | 'rejected' | 'gone' | 'unknown';

/** One try at a delivery, as it is on record. */
export interface Attempt {
  /** `att_` and 22 letters or digits. */
  readonly id: string;
  readonly deliveryId: string;
  /** 1 for the first. A manual retry goes on counting. */
  readonly number: number;
  /** By the storage's clock. */
  readonly startedAt: Date;
  /** 0 where it is unknown. */
  readonly durationMs: number;
  readonly outcome: Outcome;
  /** Why it failed. Null where it was delivered. */
  readonly kind: FailureKind | null;
  /** What went wrong, for people. Null where it was delivered. */
  readonly message: string | null;
  /** The receiver's status code, as it came (0 to 999). */
  readonly status: number | null;
  /** The beginning of the response body, at most 16 Ki characters. */
  readonly response: string | null;
}

/** An {@link Attempt}. */
export const attemptSchema = z.strictObject({
  id: attemptIdSchema,
  deliveryId: deliveryIdSchema,
  number: z.int().min(1),
  startedAt: z.date(),
  durationMs: z.int().min(0),
  outcome: outcomeSchema,
  kind: failureKindSchema.nullable(),
  message: z.string().nullable(),
  status: z.int().min(0).max(999).nullable(),
  response: z.string().nullable(),
});

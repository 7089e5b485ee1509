import type { Attempt, Delivery } from '@posthorn/core';
import { failureKindSchema } from '@posthorn/core/channel';
import { deliveryStatusSchema, outcomeSchema } from '@posthorn/core/schemas';
import { z } from 'zod';

const instant = z.iso.datetime();

export const deliverySchema = z
  .object({
    delivery_id: z.string(),
    event_id: z.string(),
    event_type: z.string(),
    webhook_id: z.string(),
    channel_id: z.string().meta({ description: 'Identifies one of the webhook’s channels' }),
    channel: z.string(),
    status: deliveryStatusSchema,
    attempt_count: z.int().meta({ description: 'How many attempts have begun' }),
    next_attempt_at: instant.nullable().meta({ description: 'Null unless it is pending' }),
    created_at: instant,
    finished_at: instant.nullable(),
  })
  .meta({ id: 'Delivery' });

export const attemptSchema = z
  .object({
    attempt_id: z.string(),
    number: z.int(),
    started_at: instant,
    duration_ms: z.int(),
    outcome: outcomeSchema,
    kind: failureKindSchema.nullable().meta({ description: 'Why it failed' }),
    message: z.string().nullable(),
    status_code: z.int().nullable().meta({ description: 'The status code of the receiver’s answer' }),
    response: z.string().nullable().meta({ description: 'The beginning of the receiver’s answer' }),
  })
  .meta({ id: 'Attempt' });

export const deliveryWithAttemptsSchema = deliverySchema
  .extend({ attempts: z.array(attemptSchema).meta({ description: 'First to last' }) })
  .meta({ id: 'DeliveryWithAttempts' });

/** A delivery as a client reads it. */
export function deliveryOf(delivery: Delivery): z.output<typeof deliverySchema> {
  return {
    delivery_id: delivery.id,
    event_id: delivery.eventId,
    event_type: delivery.eventType,
    webhook_id: delivery.webhookId,
    channel_id: delivery.bindingId,
    channel: delivery.channel,
    status: delivery.status,
    attempt_count: delivery.attempts,
    next_attempt_at: delivery.dueAt?.toISOString() ?? null,
    created_at: delivery.createdAt.toISOString(),
    finished_at: delivery.finishedAt?.toISOString() ?? null,
  };
}

/** An attempt as a client reads it. */
export function attemptOf(attempt: Attempt): z.output<typeof attemptSchema> {
  return {
    attempt_id: attempt.id,
    number: attempt.number,
    started_at: attempt.startedAt.toISOString(),
    duration_ms: attempt.durationMs,
    outcome: attempt.outcome,
    kind: attempt.kind,
    message: attempt.message,
    status_code: attempt.status,
    response: attempt.response,
  };
}

import type { WebhookEvent } from '@posthorn/core';
import { eventDetailsSchema } from '@posthorn/core/schemas';
import { z } from 'zod';
import { instantText } from './instant.js';
import { eventTypeText, plainText } from './text.js';

const { namespaceId, subject, orderingKey } = eventDetailsSchema.shape;
const { type, id } = subject.unwrap().unwrap().shape;
const json = z.unknown().meta({ description: 'Any JSON' });

export const eventSchema = z
  .object({
    event_id: z.string(),
    event_type: z.string(),
    occurred_at: z.iso.datetime(),
    namespace_id: z.string().nullable(),
    subject: z.object({ type: z.string(), id: z.string() }).nullable(),
    metadata: json.meta({ description: 'The event’s payload, as it was dispatched' }),
    cache_scope: z.record(z.string(), z.unknown()).optional(),
    ordering_key: z.string().optional(),
  })
  .meta({ id: 'Event' });

/** The body of `POST /events`. */
export const eventInputSchema = z
  .strictObject({
    event_type: eventTypeText.meta({ examples: ['order.placed'] }),
    metadata: json.meta({
      description: 'The payload, any JSON. It is delivered byte for byte as sent here',
      examples: [{ order_id: 'o1', total: 42 }],
    }),
    occurred_at: instantText.nullish().meta({ description: 'Default: now' }),
    namespace_id: plainText(namespaceId.unwrap().unwrap(), 200).nullish(),
    subject: z
      .strictObject({ type: plainText(type, 200), id: plainText(id, 200) })
      .nullish()
      .meta({ description: 'What it happened to' }),
    cache_scope: z.record(z.string(), z.unknown()).nullish(),
    ordering_key: plainText(orderingKey.unwrap().unwrap(), 255)
      .nullish()
      .meta({ description: 'Events with the same key reach a channel in their order' }),
  })
  .meta({ id: 'EventInput' });

/**
 * An event as a client reads it, as JSON text. The payload and the cache scope are stored as JSON text and stay as they
 * were dispatched, including numbers that JavaScript cannot represent.
 */
export function eventText(event: WebhookEvent): string {
  const fields = JSON.stringify({
    event_id: event.id,
    event_type: event.type,
    occurred_at: event.occurredAt.toISOString(),
    namespace_id: event.namespaceId,
    subject: event.subject,
    ...(event.orderingKey !== null && { ordering_key: event.orderingKey }),
  });
  const scope = event.cacheScope === null ? '' : `,"cache_scope":${event.cacheScope}`;
  return `${fields.slice(0, -1)},"metadata":${event.payload}${scope}}`;
}

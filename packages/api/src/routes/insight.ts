import {
  type DeliveryCounts,
  deliveryStatusSchema,
  type ExplainedDelivery,
  type Explanation,
  type NextStep,
  webhookIdSchema,
} from '@posthorn/core';
import { z } from 'zod';
import { range, wholeNumber } from '../query.js';
import { type Route, route } from '../route.js';
import { attemptOf, deliveryOf, deliveryWithAttemptsSchema } from '../wire/delivery.js';
import { eventSchema, eventText } from '../wire/event.js';
import { eventTypeText } from '../wire/text.js';

/*
 * What has happened, for people who ask why: of one event, and of many.
 */

const namedSchema = z.object({ webhook_id: z.string(), webhook_name: z.string(), is_active: z.boolean() });

const nextSchema = z
  .object({
    what: z.enum(['attempt', 'result', 'waits', 'nothing']),
    at: z.iso.datetime().nullable().meta({ description: 'When, of an attempt' }),
    why: z.string(),
  })
  .meta({ id: 'NextStep' });

const explanationSchema = z
  .object({
    event: eventSchema,
    matched: z.array(
      z
        .object({
          webhook: namedSchema.nullable().meta({ description: 'Null where it is deleted' }),
          patterns: z.array(z.string()).meta({ description: 'Those that cover the event type now' }),
          deliveries: z.array(
            z
              .object({
                channel_id: z.string(),
                channel: z.string(),
                delivery: deliveryWithAttemptsSchema.nullable(),
                next: nextSchema,
              })
              .meta({ id: 'ExplainedDelivery' }),
          ),
        })
        .meta({ id: 'MatchedWebhook' }),
    ),
    missed: z.array(
      z
        .object({
          webhook: namedSchema,
          pattern: z.string(),
          reason: z.enum(['paused', 'disabled', 'created_later', 'changed_later', 'pattern']),
          message: z.string(),
        })
        .meta({ id: 'MissedWebhook' }),
    ),
    is_complete: z.boolean().meta({ description: 'False where there were more than it looks at' }),
  })
  .meta({ id: 'Explanation' });

type Named = NonNullable<Explanation['matched'][number]['webhook']>;
const namedOf = ({ id, name, isActive }: Named) => ({
  webhook_id: id,
  webhook_name: name,
  is_active: isActive,
});
const nextOf = ({ what, at, why }: NextStep) => ({ what, at: at?.toISOString() ?? null, why });

const explainedOf = ({ bindingId, channel, delivery, attempts, next }: ExplainedDelivery) => ({
  channel_id: bindingId,
  channel,
  delivery: delivery && { ...deliveryOf(delivery), attempts: attempts.map(attemptOf) },
  next: nextOf(next),
});

/** JSON text, since an event is. */
function explanationText({ event, matched, missed, isComplete }: Explanation): string {
  const rest = JSON.stringify({
    matched: matched.map(({ webhook, patterns, deliveries }) => ({
      webhook: webhook && namedOf(webhook),
      patterns,
      deliveries: deliveries.map(explainedOf),
    })),
    missed: missed.map(({ webhook, ...why }) => ({ webhook: namedOf(webhook), ...why })),
    is_complete: isComplete,
  });
  return `{"event":${eventText(event)},${rest.slice(1)}`;
}

const counts = Object.fromEntries(deliveryStatusSchema.options.map((status) => [status, z.int()]));
const countsSchema = z
  .object(counts as Record<keyof DeliveryCounts, z.ZodInt>)
  .meta({ id: 'DeliveryCounts', description: 'How many deliveries stand where by now' });

const statsSchema = z
  .object({
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    total: countsSchema,
    buckets: z.array(z.object({ from: z.iso.datetime(), to: z.iso.datetime(), counts: countsSchema })),
  })
  .meta({ id: 'Stats' });

export const insightRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/events/{event_id}/explain',
    id: 'explainEvent',
    summary: 'Say what became of an event, and why',
    description:
      'Each webhook that matched, with its deliveries and what happens next; and those that nearly did, and why not.',
    scopes: ['deliveries:read'],
    success: { status: 200, description: 'The explanation', schema: explanationSchema },
    errors: [404],
    handle: async ({ dispatcher, tenantId, params }) => ({
      status: 200,
      text: explanationText(await dispatcher.events.explain(params.event_id!, { tenantId })),
    }),
  }),

  route({
    method: 'GET',
    path: '/stats',
    id: 'getStats',
    summary: 'Count deliveries by status, over time',
    description: 'Of the last 24 hours, unless `from` and `to` say otherwise.',
    scopes: ['deliveries:read'],
    query: z.strictObject({
      ...range,
      buckets: wholeNumber(1, 500)
        .optional()
        .meta({ description: 'Into how many stretches the time is divided; default 24' }),
      webhook_id: webhookIdSchema.optional(),
      event_type: eventTypeText.optional(),
    }),
    success: { status: 200, description: 'The counts', schema: statsSchema },
    errors: [400],
    async handle({ dispatcher, tenantId, query }) {
      const { from, to, buckets, webhook_id, event_type } = query;
      const stats = await dispatcher.deliveries.stats({
        tenantId,
        ...(from && { from }),
        ...(to && { to }),
        ...(buckets !== undefined && { buckets }),
        ...(webhook_id !== undefined && { webhookId: webhook_id }),
        ...(event_type !== undefined && { eventType: event_type }),
      });
      return {
        status: 200,
        body: {
          from: stats.from.toISOString(),
          to: stats.to.toISOString(),
          total: stats.total,
          buckets: stats.buckets.map(({ from, to, counts }) => ({
            from: from.toISOString(),
            to: to.toISOString(),
            counts,
          })),
        },
      };
    },
  }),
];

import type { ExplainedDelivery, Explanation, NextStep } from '@posthorn/core';
import { deliveryStatusSchema, webhookIdSchema } from '@posthorn/core/schemas';
import type { DeliveryCounts } from '@posthorn/core/storage';
import { z } from 'zod';
import { range, wholeNumber } from '../query.js';
import { type Route, route } from '../route.js';
import { attemptOf, deliveryOf, deliveryWithAttemptsSchema } from '../wire/delivery.js';
import { eventSchema, eventText } from '../wire/event.js';
import { eventTypeText } from '../wire/text.js';

/*
 * What has happened, and why: to one event, and to many in statistics.
 */

const namedSchema = z.object({ webhook_id: z.string(), webhook_name: z.string(), is_active: z.boolean() });

const nextSchema = z
  .object({
    what: z.enum(['attempt', 'result', 'waits', 'nothing']),
    at: z.iso.datetime().nullable().meta({ description: 'When the next attempt is due' }),
    why: z.string(),
  })
  .meta({ id: 'NextStep' });

const explanationSchema = z
  .object({
    event: eventSchema,
    matched: z.array(
      z
        .object({
          webhook: namedSchema.nullable().meta({ description: 'Null if it is deleted' }),
          patterns: z.array(z.string()).meta({ description: 'Its patterns that match the event type now' }),
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
    is_complete: z.boolean().meta({ description: 'False if there was too much to look at everything' }),
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

/** JSON text, because an event is JSON text. */
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
  .meta({ id: 'DeliveryCounts', description: 'The number of deliveries with each status now' });

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
    summary: 'Explain what happened to an event, and why',
    description:
      'Each webhook that matched, with its deliveries and what happens next. Also the webhooks that nearly matched, and why they did not.',
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
    description: 'Covers the last 24 hours, unless `from` and `to` are given.',
    scopes: ['deliveries:read'],
    query: z.strictObject({
      ...range,
      buckets: wholeNumber(1, 500)
        .optional()
        .meta({ description: 'The number of intervals that the time is divided into; default 24' }),
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

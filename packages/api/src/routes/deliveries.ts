import type { Delivery } from '@posthorn/core';
import { deliveryStatusSchema, eventIdSchema, webhookIdSchema } from '@posthorn/core/schemas';
import { z } from 'zod';
import { flag, range } from '../query.js';
import { invalid } from '../refusal.js';
import { type Answer, type Call, type Route, route } from '../route.js';
import { attemptOf, deliveryOf, deliverySchema, deliveryWithAttemptsSchema } from '../wire/delivery.js';
import { askedPage, pageAnswer, pageQuery, pageSchema } from '../wire/page.js';
import { eventTypeText } from '../wire/text.js';

const status = `(${deliveryStatusSchema.options.join('|')})`;
const statuses = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(deliveryStatusSchema).min(1))
  .meta({
    description: 'One status, or several separated by commas',
    pattern: `^${status}(,${status})*$`,
  });

const filters = {
  ...pageQuery,
  status: statuses.optional(),
  undelivered: flag
    .optional()
    .meta({ description: 'Only deliveries that ended without success: dead and cancelled' }),
  event_type: eventTypeText.optional(),
  event_id: eventIdSchema.optional(),
  ...range,
};
const ofWebhook = z.strictObject(filters);
const ofTenant = z.strictObject({ ...filters, webhook_id: webhookIdSchema.optional() });

async function list(
  { dispatcher, tenantId }: Pick<Call, 'dispatcher' | 'tenantId'>,
  query: z.output<typeof ofTenant>,
): Promise<Answer> {
  const { scope, ...page } = askedPage('deliveries', tenantId, query);
  const { status, undelivered, event_type, event_id, webhook_id, from, to } = query;
  if (undelivered !== undefined && status) {
    throw invalid([
      { loc: ['query', 'undelivered'], msg: 'cannot be combined with status', type: 'value_error' },
    ]);
  }
  const options = {
    tenantId,
    ...page,
    ...(event_type !== undefined && { eventType: event_type }),
    ...(event_id !== undefined && { eventId: event_id }),
    ...(webhook_id !== undefined && { webhookId: webhook_id }),
    ...(from && { from }),
    ...(to && { to }),
  };
  const { deliveries } = dispatcher;
  const found = undelivered
    ? await deliveries.listUndelivered(options)
    : await deliveries.list({ ...options, ...(status && { status }) });
  return pageAnswer(found, { limit: query.limit, scope }, deliveryOf);
}

const moved = async (delivery: Promise<Delivery>): Promise<Answer> => ({
  status: 200,
  body: deliveryOf(await delivery),
});

export const deliveryRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/deliveries',
    id: 'listDeliveries',
    summary: 'List deliveries, newest first',
    scopes: ['deliveries:read'],
    query: ofTenant,
    success: { status: 200, description: 'A page of deliveries', schema: pageSchema(deliverySchema) },
    errors: [400],
    handle: (call) => list(call, call.query),
  }),

  route({
    method: 'GET',
    path: '/webhooks/{webhook_id}/deliveries',
    id: 'listWebhookDeliveries',
    summary: 'List the deliveries of a webhook, newest first',
    scopes: ['deliveries:read'],
    query: ofWebhook,
    success: { status: 200, description: 'A page of deliveries', schema: pageSchema(deliverySchema) },
    errors: [400, 404],
    async handle(call) {
      const { id } = await call.dispatcher.webhooks.get(call.params.webhook_id!, { tenantId: call.tenantId });
      return list(call, { ...call.query, webhook_id: id });
    },
  }),

  route({
    method: 'GET',
    path: '/deliveries/{delivery_id}',
    id: 'getDelivery',
    summary: 'Read a delivery with its attempts',
    scopes: ['deliveries:read'],
    success: { status: 200, description: 'The delivery', schema: deliveryWithAttemptsSchema },
    errors: [404],
    async handle({ dispatcher, tenantId, params }) {
      const id = params.delivery_id!;
      const delivery = await dispatcher.deliveries.get(id, { tenantId });
      const attempts = await dispatcher.deliveries.attempts(id, { tenantId });
      return { status: 200, body: { ...deliveryOf(delivery), attempts: attempts.map(attemptOf) } };
    },
  }),

  route({
    method: 'POST',
    path: '/deliveries/{delivery_id}/retry',
    id: 'retryDelivery',
    summary: 'Retry a delivery',
    description:
      'It is due at once, with a new retry schedule. 409 while it is being sent, or if its webhook is deleted.',
    scopes: ['deliveries:write'],
    success: { status: 200, description: 'The delivery', schema: deliverySchema },
    errors: [404, 409],
    handle: ({ dispatcher, tenantId, params }) =>
      moved(dispatcher.deliveries.retry(params.delivery_id!, { tenantId })),
  }),

  route({
    method: 'POST',
    path: '/deliveries/{delivery_id}/cancel',
    id: 'cancelDelivery',
    summary: 'Cancel a delivery',
    description: 'A request in flight may still arrive. 409 if the delivery has already ended.',
    scopes: ['deliveries:write'],
    success: { status: 200, description: 'The delivery', schema: deliverySchema },
    errors: [404, 409],
    handle: ({ dispatcher, tenantId, params }) =>
      moved(dispatcher.deliveries.cancel(params.delivery_id!, { tenantId })),
  }),
];

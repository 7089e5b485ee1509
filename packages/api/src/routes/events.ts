import { type EventDetails, rawJson } from '@posthorn/core';
import { z } from 'zod';
import type { HeaderReader } from '../exchange.js';
import { memberText } from '../member-text.js';
import { range } from '../query.js';
import { invalid, refuse } from '../refusal.js';
import { type Route, route } from '../route.js';
import { eventInputSchema, eventSchema, eventText } from '../wire/event.js';
import { askedPage, pageQuery, pageSchema, paginationOf } from '../wire/page.js';
import { eventTypeText } from '../wire/text.js';

/** The idempotency key of the request. Refuses an invalid one (400). */
function idempotencyKeyIn(headers: HeaderReader): string | undefined {
  const key = headers.get('idempotency-key');
  if (key === null || /^[\x20-\x7e]{1,255}$/.test(key)) return key ?? undefined;
  throw refuse(400, 'Idempotency-Key must have 1 to 255 printable ASCII characters');
}

export const eventRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/events',
    id: 'dispatchEvent',
    summary: 'Dispatch an event',
    description:
      'After a successful answer, each channel of each matching webhook gets attempts until one succeeds or none is left.',
    scopes: ['events:write'],
    body: eventInputSchema,
    requestHeaders: {
      'Idempotency-Key':
        'Makes it safe to send the same event again: the first answer is repeated. Another event with the same key is a 409',
    },
    success: {
      status: 201,
      description: 'The event is stored with its deliveries',
      schema: z.object({ event_id: z.string(), deliveries: z.int() }).meta({ id: 'Dispatched' }),
    },
    errors: [409],
    async handle({ dispatcher, tenantId, body, bodyText, headers }) {
      const payload = memberText(bodyText!, 'metadata');
      if (payload === undefined) {
        throw invalid([{ loc: ['body', 'metadata'], msg: 'is required', type: 'missing' }]);
      }
      const idempotencyKey = idempotencyKeyIn(headers);
      const details: EventDetails = {
        tenantId,
        ...(body.occurred_at != null && { occurredAt: new Date(body.occurred_at) }),
        namespaceId: body.namespace_id ?? null,
        subject: body.subject ?? null,
        cacheScope: body.cache_scope ?? null,
        orderingKey: body.ordering_key ?? null,
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      };
      const { eventId, deliveries } = await dispatcher.dispatch(body.event_type, rawJson(payload), details);
      return { status: 201, body: { event_id: eventId, deliveries } };
    },
  }),

  route({
    method: 'GET',
    path: '/events',
    id: 'listEvents',
    summary: 'List events, newest first',
    scopes: ['deliveries:read'],
    query: z.strictObject({ ...pageQuery, event_type: eventTypeText.optional(), ...range }),
    success: { status: 200, description: 'A page of events', schema: pageSchema(eventSchema) },
    errors: [400],
    async handle({ dispatcher, tenantId, query }) {
      const { scope, ...page } = askedPage('events', tenantId, query);
      const { event_type, from, to } = query;
      const found = await dispatcher.events.list({
        tenantId,
        ...page,
        ...(event_type !== undefined && { type: event_type }),
        ...(from && { from }),
        ...(to && { to }),
      });
      const pagination = JSON.stringify(paginationOf(found, { limit: query.limit, scope }));
      const results = found.items.map(eventText).join(',');
      return { status: 200, text: `{"results":[${results}],"pagination":${pagination},"total":null}` };
    },
  }),

  route({
    method: 'GET',
    path: '/events/{event_id}',
    id: 'getEvent',
    summary: 'Read an event',
    scopes: ['deliveries:read'],
    success: { status: 200, description: 'The event', schema: eventSchema },
    errors: [404],
    handle: async ({ dispatcher, tenantId, params }) => ({
      status: 200,
      text: eventText(await dispatcher.events.get(params.event_id!, { tenantId })),
    }),
  }),
];

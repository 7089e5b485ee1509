import { withDeadline } from '@posthorn/core/channel';
import { z } from 'zod';
import { eventTypesOf } from '../event-types.js';
import { openApiDocument } from '../openapi.js';
import { refuse } from '../refusal.js';
import { type AnyDispatcher, type Route, route } from '../route.js';

const eventTypeSchema = z
  .object({
    event_type: z.string(),
    description: z.string().nullable(),
    schema: z.record(z.string(), z.unknown()).nullable().meta({ description: 'JSON Schema, draft 2020-12' }),
    example: z.unknown().optional(),
  })
  .meta({ id: 'EventType' });

/** How long a result is reused: probes cost nothing, and still notice a failure soon. */
const healthForMs = 1_000;

/** How long the storage may take to answer. */
const healthWithinMs = 2_000;

/** Sends the storage a small query, at most once a second, and none while the last one is unanswered. */
function healthOf(dispatcher: AnyDispatcher): () => Promise<boolean> {
  let at = Number.NEGATIVE_INFINITY;
  let isAsking = false;
  let isWell: Promise<boolean> = Promise.resolve(true);
  return () => {
    if (!isAsking && performance.now() - at >= healthForMs) {
      at = performance.now();
      isAsking = true;
      const answer = dispatcher.events
        .list({ limit: 1 })
        .then(
          () => true,
          () => false,
        )
        .finally(() => {
          isAsking = false;
        });
      isWell = withDeadline(answer, healthWithinMs, () => false);
    }
    return isWell;
  };
}

/** Calls `make` once and returns the same promise again. After a failure it is called again. */
function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make().catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

/** The calls about the API itself. `routes` are all other calls. */
export function serviceRoutes(
  dispatcher: AnyDispatcher,
  basePath: string,
  routes: readonly Route[],
): readonly Route[] {
  const isWell = healthOf(dispatcher);
  const eventTypes = once(() => eventTypesOf(dispatcher.catalog));
  const documentText = once(async () => {
    const all = [...routes, ...service];
    return JSON.stringify(openApiDocument({ routes: all, basePath, eventTypes: await eventTypes() }));
  });

  const service: readonly Route[] = [
    route({
      method: 'GET',
      path: '/event-types',
      id: 'listEventTypes',
      summary: 'List the catalog: the event types, with schemas and examples',
      scopes: [],
      success: {
        status: 200,
        description: 'All event types; empty if there is no catalog',
        schema: z.object({ results: z.array(eventTypeSchema) }),
      },
      async handle() {
        const results = (await eventTypes()).map(({ eventType, ...rest }) => ({
          event_type: eventType,
          ...rest,
        }));
        return { status: 200, body: { results } };
      },
    }),

    route({
      method: 'GET',
      path: '/health',
      id: 'getHealth',
      summary: 'Check whether the API and its storage answer',
      scopes: 'open',
      success: { status: 200, description: 'They do', schema: z.object({ status: z.literal('ok') }) },
      errors: [503],
      async handle() {
        if (!(await isWell())) throw refuse(503, 'the storage does not answer');
        return { status: 200, body: { status: 'ok' } };
      },
    }),

    route({
      method: 'GET',
      path: '/openapi.json',
      id: 'getOpenApi',
      summary: 'Read this document',
      scopes: [],
      success: { status: 200, description: 'OpenAPI 3.1', schema: z.record(z.string(), z.unknown()) },
      handle: async () => ({ status: 200, text: await documentText() }),
    }),
  ];
  return service;
}

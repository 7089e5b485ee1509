import { z } from 'zod';
import type { EventType } from './event-types.js';
import { jsonSchema } from './json-schema.js';
import { type ErrorStatus, errorTypes } from './refusal.js';
import { relocated } from './relocated.js';
import type { Route, Success } from './route.js';
import { receivedSchema } from './wire/received.js';

type Json = Record<string, unknown>;

export interface DocumentOptions {
  readonly routes: readonly Route[];
  readonly basePath: string;
  readonly eventTypes: readonly EventType[];
}

const errorSchema = z
  .object({
    success: z.literal(false),
    status: z.int(),
    error: z.object({ message: z.string(), type: z.string(), details: z.record(z.string(), z.unknown()) }),
  })
  .meta({ id: 'Error' });
const validationErrorSchema = z
  .object({
    detail: z.array(
      z.object({ loc: z.array(z.union([z.string(), z.int()])), msg: z.string(), type: z.string() }),
    ),
  })
  .meta({ id: 'ValidationError' });

const errorDescriptions: Readonly<Record<ErrorStatus | 422, string>> = {
  400: 'The request is malformed: a body that is not JSON, or an invalid header',
  401: 'Credentials are missing, malformed, unknown, revoked or expired',
  403: 'The credentials lack a scope',
  404: 'It does not exist, or belongs to another tenant',
  405: 'The path does not take this method',
  409: 'The id is taken, or the state does not allow the call',
  412: 'It has changed: `If-Match` names another version',
  413: 'The body is too large',
  415: 'The body is not `application/json` in UTF-8, or has a content encoding',
  422: 'The request is not valid; `detail` says where',
  429: 'Too many calls; `Retry-After` says how many seconds to wait',
  500: 'Internal error; `request_id` identifies it',
  503: 'The storage does not answer',
};

/** The OpenAPI 3.1 document of the API, generated from the schemas that validate requests and answers. */
export function openApiDocument({ routes, basePath, eventTypes }: DocumentOptions): Json {
  const schemas: Json = {};
  const schemaOf = (schema: z.ZodType, io: 'input' | 'output'): Json => jsonSchema(schema, io, schemas);
  const errorRef = schemaOf(errorSchema, 'output');
  const invalidRef = schemaOf(validationErrorSchema, 'output');

  function operationOf(route: Route): Json {
    const { id, summary, description, path, scopes, body, success, alsoAnswers } = route;
    const tag = path.split('/')[1]!;
    const isOpen = scopes === 'open';
    const needs =
      isOpen || scopes.length === 0 ? '' : `Needs ${scopes.map((s) => `\`${s}\``).join(' and ')}.`;
    return {
      operationId: id,
      summary,
      description: [description, needs].filter(Boolean).join(' '),
      tags: [tag],
      ...(isOpen && { security: [] }),
      parameters: parametersOf(route, schemaOf),
      ...(body && {
        requestBody: {
          required: !body.safeParse(undefined).success,
          content: { 'application/json': { schema: schemaOf(body, 'input') } },
        },
      }),
      responses: {
        [success.status]: successOf(success),
        ...(alsoAnswers && { [alsoAnswers.status]: successOf(alsoAnswers) }),
        ...Object.fromEntries(errorsOf(route).map((status) => [status, errorOf(status)])),
      },
    };
  }

  function successOf({ description, headers, schema }: Success): Json {
    return {
      description,
      ...(headers && { headers: headersOf(headers) }),
      ...(schema && { content: { 'application/json': { schema: schemaOf(schema, 'output') } } }),
    };
  }

  function errorOf(status: ErrorStatus | 422): Json {
    const example =
      status === 422
        ? { detail: [{ loc: ['body', 'event_types', 0], msg: 'is required', type: 'missing' }] }
        : { success: false, status, error: { message: '…', type: errorTypes[status], details: {} } };
    return {
      description: errorDescriptions[status],
      ...(status === 429 && { headers: headersOf({ 'Retry-After': 'Seconds' }) }),
      content: { 'application/json': { schema: status === 422 ? invalidRef : errorRef, example } },
    };
  }

  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = `${basePath}${route.path}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  const webhooks = Object.fromEntries(
    (eventTypes.length > 0 ? eventTypes : [anyEvent]).map((type) => [
      type.eventType,
      receivedOf(type, schemaOf, schemas),
    ]),
  );
  return {
    openapi: '3.1.0',
    info: {
      title: 'Webhooks and notifications',
      version: '1',
      description:
        'A webhook is a subscription: these event types, to these channels. `webhooks` describes what its endpoint receives.',
    },
    security: [{ apiKey: [] }],
    paths,
    webhooks,
    components: {
      schemas,
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'An API key, `sk_live_…` or `sk_test_…`' },
      },
    },
  };
}

/** Represents all event types if there is no catalog. */
const anyEvent: EventType = {
  eventType: 'event',
  description: 'Any event',
  schema: null,
  example: { order_id: 'o1' },
};

function errorsOf({ method, scopes, errors = [] }: Route): (ErrorStatus | 422)[] {
  const all = new Set<ErrorStatus | 422>([
    ...errors,
    // Every route refuses unknown query parameters.
    422,
    500,
    ...(scopes === 'open' ? [] : ([401, 429] as const)),
    ...(scopes === 'open' || scopes.length === 0 ? [] : ([403] as const)),
    ...(method === 'GET' ? [] : ([400, 413, 415] as const)),
  ]);
  return [...all].sort((a, b) => a - b);
}

function parametersOf(route: Route, schemaOf: (schema: z.ZodType, io: 'input') => Json): Json[] {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const query = route.query ? schemaOf(route.query, 'input') : {};
  const inQuery = Object.entries((query.properties ?? {}) as Record<string, Json>).map(
    ([name, { description, ...schema }]) => ({
      name,
      in: 'query',
      ...(description !== undefined && { description }),
      schema,
    }),
  );
  const inHeader = Object.entries(route.requestHeaders ?? {}).map(([name, description]) => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  }));
  return [...inPath, ...inQuery, ...inHeader];
}

const headersOf = (headers: Readonly<Record<string, string>>): Json =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
  );

/** The request that a receiver gets for an event of this type. */
function receivedOf(
  { eventType, description, schema, example }: EventType,
  schemaOf: (schema: z.ZodType, io: 'output') => Json,
  components: Json,
): Json {
  // No component of the API itself has a dot in its name.
  const name = `Payload.${eventType}`;
  const $ref = `#/components/schemas/${name}`;
  if (schema) components[name] = relocated(schema, $ref);
  const envelope = {
    allOf: [schemaOf(receivedSchema, 'output'), { properties: { metadata: schema ? { $ref } : {} } }],
  };
  return {
    post: {
      summary: description ?? eventType,
      parameters: ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => ({
        name,
        in: 'header',
        required: true,
        description: 'As Standard Webhooks specifies',
        schema: { type: 'string' },
      })),
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: envelope,
            ...(example !== undefined && {
              example: {
                event_id: 'evt_0VfkBoZs3vPq0Hk2kzYw9a',
                event_type: eventType,
                occurred_at: '2026-01-31T12:00:00.000Z',
                namespace_id: null,
                subject: null,
                metadata: example,
              },
            }),
          },
        },
      },
      responses: {
        '2XX': { description: 'Received: the event is not sent again' },
        '410': { description: 'Gone: no further events are sent to this endpoint' },
        default: { description: 'Failed: the event is retried' },
      },
    },
  };
}

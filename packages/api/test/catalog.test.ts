import { createDispatcher, type EventCatalog } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import openapiTS, { type OpenAPI3 } from 'openapi-typescript';
import { afterEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { eventTypesOf } from '../src/event-types.js';
import { exampleOf } from '../src/example.js';
import { apiOf } from './api.js';
import { documentOf } from './documented.js';

const engineOf = (events: EventCatalog) =>
  createDispatcher({ storage: memoryStorage(), channels: [], events });

/** A catalog entry that is not a zod schema: its JSON Schema, and what it accepts. */
const saying = (
  schema: unknown,
  validate: (value: unknown) => unknown = (value) => ({ value }),
): EventCatalog[string] =>
  ({
    '~standard': { version: 1, vendor: 'test', validate, jsonSchema: { input: () => schema } },
  }) as never;

afterEach(() => {
  vi.useRealTimers();
});

test('a schema that refers to itself, or to parts of itself, does so in the document too', async () => {
  const tree = z.object({
    name: z.string(),
    get children() {
      return z.array(tree);
    },
  });
  const address = z.object({ city: z.string() }).meta({ id: 'Address' });
  const document = await documentOf(
    engineOf({
      'tree.grown': tree,
      'order.placed': z.object({ from: address, to: address }),
      'data.kept': saying({
        $id: 'https://example.com/kept',
        type: 'object',
        properties: { default: { $ref: 'https://example.com/kept#' }, kept: { const: { $ref: '#' } } },
      }),
    }),
  );
  expect(await new Validator().validate(document)).toEqual({ valid: true });
  await openapiTS(document as OpenAPI3);
  const { schemas } = document.components;
  expect(schemas['Payload.data.kept'].properties).toEqual({
    default: { $ref: '#/components/schemas/Payload.data.kept' },
    kept: { const: { $ref: '#' } },
  });

  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'api', components: document.components });
  const takes = (name: string, value: unknown) =>
    ajv.compile({ $ref: `api#/components/schemas/${name}` })(value);
  const child = { name: 'child', children: [] };
  expect(takes('Payload.tree.grown', { name: 'root', children: [child] })).toBe(true);
  expect(takes('Payload.tree.grown', { name: 'root', children: [{ ...child, name: 1 }] })).toBe(false);
  expect(takes('Payload.order.placed', { from: { city: 'Ulm' }, to: { city: 'Bonn' } })).toBe(true);
  expect(takes('Payload.order.placed', { from: { city: 'Ulm' }, to: { city: 7 } })).toBe(false);
});

test.each([
  [{ type: 'object', properties: { x: true }, required: ['x'] }, { x: null }],
  [{ type: 'array', items: true }, [null]],
  [{ anyOf: [true, { type: 'string' }] }, null],
  [true, null],
  [{ $ref: '#/$defs/a~1b~0c%20d', $defs: { 'a/b~c d': { const: 7 } } }, 7],
  [{ $ref: '#/$defs/missing' }, null],
  [{ $ref: 'https://example.com/other' }, null],
])('an example of %j is %j', (schema, example) => {
  expect(exampleOf(schema)).toEqual(example);
});

const wide = (ref: string) =>
  Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`p${i}`, { $ref: ref }]));

test.each([
  { type: 'array', minItems: 1e9 },
  { type: 'string', minLength: 1e9 },
  { type: 'array', items: { type: 'array', items: { type: 'null' }, minItems: 100 }, minItems: 100 },
  { type: 'object', properties: wide('#'), required: Object.keys(wide('#')) },
  { $ref: '#/%' },
])('an event type whose example would be large, or cannot be made, has no example: %#', async (schema) => {
  const { call } = await apiOf(engineOf({ 'a.b': saying(schema) }));
  const { status, body } = await call('GET', '/event-types');
  expect([status, body.results]).toEqual([200, [{ event_type: 'a.b', description: null, schema }]]);
});

const circle: Record<string, unknown> = {};
circle.properties = { circle };

test.each([
  ['a bigint', { const: 10n }],
  ['a circle', circle],
  ['nothing', undefined],
])(
  'an event type whose schema cannot be written as JSON, because of %s in it, has no schema',
  async (_, schema) => {
    const { call } = await apiOf(engineOf({ 'a.b': saying(schema) }));
    expect((await call('GET', '/event-types')).body.results).toEqual([
      { event_type: 'a.b', description: null, schema: null },
    ]);
    expect((await call('GET', '/openapi.json')).status).toBe(200);
  },
);

test('an event type whose validator does not answer within a second has no example', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const types = eventTypesOf({
    'a.b': saying({ type: 'null' }, () => new Promise(() => {})),
    'a.c': saying({ const: 1 }),
  });
  await vi.advanceTimersByTimeAsync(1_000);
  expect((await types).map(({ eventType, example }) => [eventType, example])).toEqual([
    ['a.b', undefined],
    ['a.c', 1],
  ]);
  expect(vi.getTimerCount()).toBe(0);
});

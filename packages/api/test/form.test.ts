import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel } from '@posthorn/testing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { apiOf, hook, recorded } from './api.js';
import { documentOf } from './documented.js';

/*
 * Compares what the document allows in bodies with what the handler accepts.
 */

// biome-ignore lint/suspicious/noExplicitAny: a document as JSON has it.
type Json = Record<string, any>;

const engine = () => createDispatcher({ storage: memoryStorage(), channels: [recordingChannel('record')] });
const document = await documentOf(engine(), '');
const ajv = new Ajv2020({ strict: false });
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
ajv.addSchema({ $id: 'api', components: document.components });

/** Whether the document allows this body. */
const isDocumented = (name: string, body: unknown): boolean =>
  ajv.compile({ $ref: `api#/components/schemas/${name}` })(body) as boolean;

/** Values that match a schema of the document. */
function valuesOf(schema: Json): fc.Arbitrary<unknown> {
  if (schema.$ref) return valuesOf(document.components.schemas[schema.$ref.split('/').at(-1)]);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valuesOf));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (Array.isArray(schema.type)) {
    return fc.oneof(...schema.type.map((type) => valuesOf({ ...schema, type })));
  }
  switch (schema.type) {
    case 'object': {
      if (!schema.properties) return fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 });
      const fields = Object.entries(schema.properties as Json).map(([name, inner]) => [
        name,
        valuesOf(inner),
      ]);
      return fc.record(Object.fromEntries(fields), { requiredKeys: schema.required ?? [] });
    }
    case 'array':
      return fc.array(valuesOf(schema.items), { minLength: schema.minItems ?? 0, maxLength: 5 });
    case 'string':
      return textsOf(schema);
    case 'integer':
      return fc.integer({ min: schema.minimum, max: schema.maximum });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return fc.jsonValue();
  }
}

function textsOf({ pattern, format, minLength = 0, maxLength = 1_000 }: Json): fc.Arbitrary<string> {
  if (format === 'date-time') {
    const [min, max] = [new Date('1970-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59.999Z')];
    return fc.date({ min, max, noInvalidDate: true }).map((date) => date.toISOString());
  }
  if (pattern === undefined) return fc.string({ minLength, maxLength, unit: 'binary' });
  const form = new RegExp(pattern, 'u');
  if (pattern.includes('\\p')) {
    return fc.string({ minLength, maxLength, unit: 'binary' }).filter((text) => form.test(text));
  }
  return fc.stringMatching(form).filter((text) => text.length <= maxLength);
}

const { api, webhookId } = await (async () => {
  const api = await apiOf(engine());
  return { api, webhookId: (await api.call('POST', '/webhooks', { body: recorded() })).body.webhook_id };
})();

describe('the handler accepts every body that the document allows', () => {
  test.each([
    ['EventInput', '/events'],
    ['ReplayInput', '/replay'],
    ['Rotation', `/webhooks/${webhookId}/rotate-secret`],
    ['Sample', `/webhooks/${webhookId}/test`],
    ['WebhookFilter', '/webhooks/list'],
  ])('%s', async (name, path) => {
    await fc.assert(
      fc.asyncProperty(valuesOf(document.components.schemas[name]), async (given) => {
        const body = given as Json;
        expect(isDocumented(name, body)).toBe(true);
        // A schema cannot express that a seed belongs to its public key, and to a kind.
        fc.pre(name !== 'Rotation' || body.secret == null || body.kind == null);
        fc.pre(!String(body.secret).startsWith('whsk_'));
        // A schema cannot express that a replay with missed needs from and takes no status.
        fc.pre(body.missed !== true || (body.from != null && body.status == null));
        // A schema cannot refer to the current time.
        fc.pre(body.from == null || (body.from < '2026' && body.from < (body.to ?? '2026')));
        const { status, text } = await api.call('POST', path, { body });
        expect(status, text).not.toBe(422);
      }),
      { numRuns: 100 },
    );
  });
});

const long = 'x'.repeat(300);
const channel = (fields: Json) => ({ ...recorded(), channels: [{ ...recorded().channels[0], ...fields }] });
const event = (fields: Json) => ({ event_type: 'a', metadata: 1, ...fields });

describe('the document does not allow a body that the handler refuses', () => {
  test.each([
    ['EventInput', '/events', event({ event_type: 'a..b' }), ['event_type']],
    ['EventInput', '/events', event({ event_type: 'a.b.c.d.e.f.g' }), ['event_type']],
    ['EventInput', '/events', event({ event_type: long }), ['event_type']],
    ['EventInput', '/events', event({ ordering_key: long }), ['ordering_key']],
    ['EventInput', '/events', event({ namespace_id: '' }), ['namespace_id']],
    ['EventInput', '/events', event({ namespace_id: 'a\u0000' }), ['namespace_id']],
    ['EventInput', '/events', event({ subject: { type: 'a', id: long } }), ['subject', 'id']],
    ['ReplayInput', '/replay', { per_second: 10_001 }, ['per_second']],
    ['ReplayInput', '/replay', { event_type: 'order.*' }, ['event_type']],
    ['Rotation', `/webhooks/${webhookId}/rotate-secret`, { secret: 'whsec_short' }, ['secret']],
    ['Rotation', `/webhooks/${webhookId}/rotate-secret`, { overlap: -1 }, ['overlap']],
    ['WebhookInput', '/webhooks', { ...recorded(), webhook_name: long }, ['webhook_name']],
    ['WebhookInput', '/webhooks', recorded('x', ['a*']), ['event_types', 0]],
    ['WebhookInput', '/webhooks', channel({ channel: long }), ['channels', 0, 'channel']],
    ['WebhookInput', '/webhooks', channel({ id: 'ch_0000000000' }), ['channels', 0, 'id']],
    ['WebhookInput', '/webhooks', channel({ digest: { window: 0.5 } }), ['channels', 0, 'digest', 'window']],
    ['WebhookInput', '/webhooks', channel({ digest: { window: '1x' } }), ['channels', 0, 'digest', 'window']],
  ] as const)('%s of %s: %j', async (name, path, body, place) => {
    const { status, body: answer } = await api.call('POST', path, { body });
    expect([status, answer.detail[0].loc]).toEqual([422, ['body', ...place]]);
    expect(isDocumented(name, body)).toBe(false);
  });
});

test('a replacement may have channel ids, and the document allows them', async () => {
  const { webhook_id } = (await api.call('POST', '/webhooks', { body: recorded() })).body;
  const { channel_id } = (await api.call('POST', `/webhooks/${webhook_id}/test`)).body.results[0];
  const body = channel({ id: channel_id });
  expect(isDocumented('WebhookReplacement', body)).toBe(true);
  expect((await api.call('PUT', `/webhooks/${webhook_id}`, { body })).status).toBe(200);
});

test.each([
  ['9999-12-31T23:59:59-23:59', 422],
  ['1970-01-01T00:00:00+00:01', 422],
  ['9999-12-31T23:59:59.999Z', 201],
  ['1970-01-01T01:00:00+01:00', 201],
])('an event at %s is answered %i, according to its year in UTC', async (occurred_at, status) => {
  expect((await api.call('POST', '/events', { body: event({ occurred_at }) })).status).toBe(status);
});

test('a new secret of another kind than requested is refused', async () => {
  const { webhook_id } = (await api.call('POST', '/webhooks', { body: recorded() })).body;
  const path = `/webhooks/${webhook_id}/rotate-secret`;
  const secret = `whsec_${Buffer.alloc(32).toString('base64')}`;
  const { status, body } = await api.call('POST', path, { body: { secret, kind: 'v1a' } });
  expect([status, body.detail]).toEqual([
    422,
    [{ loc: ['body', 'kind'], msg: 'must be the kind of the secret, or left out', type: 'value_error' }],
  ]);
  expect((await api.call('POST', path, { body: { secret, kind: 'v1' } })).body).toEqual({ secret });
});

test.each([
  ['/replay', { per_second: 0 }, 'must be a whole number from 1 to 10000'],
  ['/replay', { per_second: '7' }, 'must be a whole number from 1 to 10000'],
  ['/replay', { status: ['gone'] }, 'must be one of dead, cancelled, delivered, pending'],
  ['/replay', { status: [] }, 'must hold at least one status'],
  ['/webhooks', { ...recorded(), channels: [] }, 'must hold at least one channel'],
  ['/webhooks', { ...recorded(), event_types: [] }, 'must hold at least one event type or pattern'],
  ['/webhooks', channel({ digest: { window: 10, max_events: 1 } }), 'must be a whole number from 2 to 1000'],
  [
    '/webhooks',
    channel({ digest: { window: 10, max_bytes: 7 } }),
    'must be a whole number from 1024 to 16777216',
  ],
  [
    '/webhooks',
    { ...recorded(), channels: [{ ...hook(), only_after: { channel: 'x', failed_attempts: 101 } }] },
    'must be a whole number from 1 to 100',
  ],
])('%s refuses %j and says what is valid', async (path, body, msg) => {
  expect((await api.call('POST', path, { body })).body.detail).toEqual([expect.objectContaining({ msg })]);
});

import { createDispatcher, defineEvents } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { Validator } from '@seriousme/openapi-schema-validator';
import createClient from 'openapi-fetch';
import openapiTS, { astToString, type OpenAPI3 } from 'openapi-typescript';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { apiOf, engine, recorded } from './api.js';
import type { paths } from './client-types.js';
import { documentOf } from './documented.js';
import { markdownOf } from './markdown.js';

const events = defineEvents({
  'order.placed': z
    .object({
      order_id: z.string().meta({ examples: ['o1'] }),
      total: z.number().min(0),
      placed_at: z.iso.datetime(),
    })
    .meta({ description: 'A customer has placed an order' }),
  'order.shipped': z.object({ order_id: z.string(), at: z.date() }),
});

describe('the document', () => {
  test('is OpenAPI 3.1', async () => {
    for (const dispatcher of [
      engine(),
      createDispatcher({ storage: memoryStorage(), channels: [], events }),
    ]) {
      const validator = new Validator();
      const document = await documentOf(dispatcher);
      expect(await validator.validate(document)).toEqual({ valid: true });
      expect(document.openapi).toBe('3.1.0');
    }
  });

  test('is served by GET /openapi.json to any valid credentials', async () => {
    const { call, dispatcher } = await apiOf();
    const { body } = await call('GET', '/openapi.json');
    expect(body).toEqual(await documentOf(dispatcher));
    expect((await call('GET', '/openapi.json', { key: null })).status).toBe(401);
  });

  test('describes what receivers get for each event type of the catalog, with a valid example', async () => {
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [], events });
    const { webhooks, components } = await documentOf(dispatcher);
    expect(Object.keys(webhooks)).toEqual(['order.placed', 'order.shipped']);
    const { summary, requestBody } = webhooks['order.placed'].post;
    const { schema, example } = requestBody.content['application/json'];
    expect(summary).toBe('A customer has placed an order');
    expect(schema.allOf[1].properties.metadata).toEqual({
      $ref: '#/components/schemas/Payload.order.placed',
    });
    expect(components.schemas['Payload.order.placed'].properties.total).toMatchObject({
      type: 'number',
      minimum: 0,
    });
    expect(events['order.placed'].safeParse(example.metadata).success).toBe(true);
    expect(example.metadata.order_id).toBe('o1');
    // A Date has no JSON form, so the document leaves it out.
    expect(webhooks['order.shipped'].post.requestBody.content['application/json'].example).toBeUndefined();
  });

  test('lists the catalog with its schemas and examples, and nothing without a catalog', async () => {
    const { call } = await apiOf(createDispatcher({ storage: memoryStorage(), channels: [], events }));
    expect((await call('GET', '/event-types')).body.results).toEqual([
      {
        event_type: 'order.placed',
        description: 'A customer has placed an order',
        schema: expect.objectContaining({ type: 'object', required: ['order_id', 'total', 'placed_at'] }),
        example: { order_id: 'o1', total: 0, placed_at: '2026-01-31T12:00:00Z' },
      },
      { event_type: 'order.shipped', description: null, schema: null },
    ]);
    expect((await (await apiOf()).call('GET', '/event-types')).body.results).toEqual([]);
  });

  test('names the statuses that a list of deliveries can be filtered by', async () => {
    const { paths } = await documentOf(engine(), '');
    const { schema } = paths['/deliveries'].get.parameters.find(
      (one: { name: string }) => one.name === 'status',
    );
    const form = new RegExp(schema.pattern, 'u');
    const asked = ['dead', 'pending,sending', '', 'gone', 'dead,', 'dead, dead'];
    const { call } = await apiOf();
    for (const status of asked) {
      const answer = await call('GET', `/deliveries?status=${encodeURIComponent(status)}`);
      expect(answer.status, status).toBe(form.test(status) ? 200 : 422);
    }
    expect(asked.filter((status) => form.test(status))).toEqual(['dead', 'pending,sending']);
  });

  test('has a schema for every answer with a body, and an example for every error', async () => {
    const { paths } = await documentOf(engine());
    for (const [path, methods] of Object.entries(paths as Record<string, Record<string, never>>)) {
      for (const [method, { responses }] of Object.entries(methods) as [string, { responses: object }][]) {
        for (const [status, answer] of Object.entries(responses)) {
          const content = answer.content?.['application/json'];
          if (status === '204') expect(content).toBeUndefined();
          else expect(content?.schema, `${method} ${path} ${status}`).toBeDefined();
          if (Number(status) >= 400) expect(content.example).toBeDefined();
        }
      }
    }
  });
});

describe('what is generated from the document', () => {
  test('docs/api.md is up to date', async () => {
    await expect(markdownOf(await documentOf(engine()))).toMatchFileSnapshot('../../../docs/api.md');
  });

  test('the types of a client are up to date', async () => {
    const types = astToString(await openapiTS((await documentOf(engine())) as OpenAPI3));
    await expect(`// Made by openapi-typescript from the document.\n${types}`).toMatchFileSnapshot(
      'client-types.ts',
    );
  });

  test('a client with these types creates, lists, dispatches and reads', async () => {
    const { handler, key } = await apiOf();
    const client = createClient<paths>({
      baseUrl: 'http://api.test',
      headers: { authorization: `Bearer ${key}` },
      fetch: (request) => handler(request),
    });
    const root = '/v1/organizations';
    const created = await client.POST(`${root}/webhooks`, { body: recorded() });
    const webhook_id: string = created.data!.webhook_id;
    const page = await client.POST(`${root}/webhooks/list`, {
      params: { query: { limit: 10, include_total: true } },
    });
    expect(page.data!.results.map((one) => one.webhook_id)).toEqual([webhook_id]);
    expect(page.data!.pagination.total).toBe(1);

    const dispatched = await client.POST(`${root}/events`, {
      params: { header: { 'Idempotency-Key': 'o1' } },
      body: { event_type: 'order.placed', metadata: { order_id: 'o1' } },
    });
    const deliveries = await client.GET(`${root}/webhooks/{webhook_id}/deliveries`, {
      params: { path: { webhook_id }, query: { status: 'pending,sending' } },
    });
    expect(deliveries.data!.results).toMatchObject([
      { event_id: dispatched.data!.event_id, status: 'pending' },
    ]);

    const missing = await client.GET(`${root}/webhooks/{webhook_id}`, {
      params: { path: { webhook_id: 'none' } },
    });
    expect(missing.error).toMatchObject({ status: 404, error: { type: 'NotFoundError' } });
    const { response } = await client.DELETE(`${root}/webhooks/{webhook_id}`, {
      params: { path: { webhook_id } },
    });
    expect(response.status).toBe(204);
  });
});

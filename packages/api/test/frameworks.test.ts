import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { bodyParser } from '@koa/bodyparser';
import express from 'express';
import { fastify } from 'fastify';
import Koa from 'koa';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type ApiOptions, createApi, type NodeHandler, toNode } from '../src/index.js';
import { engine, keyOf, recorded } from './api.js';
import { raw, served } from './served.js';

const basePath = '/v1/organizations';

async function mounted(options: ApiOptions = {}) {
  const dispatcher = engine();
  const key = await keyOf(dispatcher, 'acme');
  const api = toNode(createApi(dispatcher, { rateLimit: false, ...options }));
  return { dispatcher, api, key };
}

/** Makes the first calls of a client through a framework, and checks that the answers are the same as without one. */
async function makesAWebhook(origin: string, key: string, base = basePath): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const created = await fetch(`${origin}${base}/webhooks`, {
    method: 'POST',
    headers,
    body: JSON.stringify(recorded('Ünï ✓')),
  });
  expect(created.status).toBe(201);
  const { webhook_id: id } = (await created.json()) as { webhook_id: string };
  const read = await fetch(`${origin}${base}/webhooks/${id}?`, { headers });
  expect(await read.json()).toMatchObject({ webhook_id: id, webhook_name: 'Ünï ✓' });
  const wrong = await fetch(`${origin}${base}/webhooks/`, {
    method: 'POST',
    headers,
    body: '{"webhook_name":1}',
  });
  expect([wrong.status, wrong.headers.get('content-type')]).toEqual([422, 'application/json']);
  const { authorization } = headers;
  const gone = await fetch(`${origin}${base}/webhooks/${id}/`, {
    method: 'DELETE',
    headers: { authorization },
  });
  expect(gone.status).toBe(204);
  expect((await fetch(`${origin}${base}/webhooks`)).status).toBe(401);
}

/** Dispatches through a framework, and reads the stored payload. */
async function payloadStored(origin: string, key: string, payload: string): Promise<string> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const body = `{"event_type":"order.placed","metadata":${payload}}`;
  const sent = await fetch(`${origin}${basePath}/events`, { method: 'POST', headers, body });
  const { event_id } = (await sent.json()) as { event_id: string };
  const event = await (await fetch(`${origin}${basePath}/events/${event_id}`, { headers })).text();
  return /"metadata":(.*)\}$/.exec(event)![1]!;
}

/** A payload that changes when JavaScript parses it and writes it again. */
const particular = '{"b":1.10,"2":12345678901234567890,"1":1e2}';

describe('Express', () => {
  test('delivers the payload byte for byte if mounted before the parser', async () => {
    const { api, key } = await mounted();
    const { origin } = await served(express().use(basePath, api).use(express.json()));
    await makesAWebhook(origin, key);
    expect(await payloadStored(origin, key, particular)).toBe(particular);
  });

  test('uses the parsed body if mounted after the parser', async () => {
    const { api, key } = await mounted();
    const { origin } = await served(express().use(express.json(), api));
    await makesAWebhook(origin, key);
    expect(JSON.parse(await payloadStored(origin, key, particular))).toEqual(JSON.parse(particular));
    // The parser accepts compressed bodies, and the API is mounted behind it.
    const inflated = await fetch(`${origin}${basePath}/webhooks`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'content-encoding': 'gzip',
      },
      body: gzipSync(JSON.stringify(recorded())),
    });
    expect(inflated.status).toBe(201);
  });

  test('delivers the payload byte for byte if mounted after a parser that keeps the raw body', async () => {
    const { api, key } = await mounted();
    const verify = (request: object, _response: object, rawBody: Buffer) =>
      void Object.assign(request, { rawBody });
    const { origin } = await served(express().use(express.json({ verify }), api));
    await makesAWebhook(origin, key);
    expect(await payloadStored(origin, key, particular)).toBe(particular);
  });

  test('reads the body itself if a parser has set an empty body without reading', async () => {
    const { api, key } = await mounted();
    const app = express().use((request, _response, next) => {
      request.body = {};
      next();
    }, api);
    const { origin } = await served(app);
    await makesAWebhook(origin, key);
  });

  test('requires credentials under every spelling of the path', async () => {
    const { api, key } = await mounted({ basePath: '/hooks/v1' });
    const app = express()
      .use('/hooks', api)
      .use((_request, response) => void response.status(418).end());
    const { origin } = await served(app);
    await makesAWebhook(origin, key, '/hooks/v1');
    const mine = `authorization: Bearer ${key}`;
    const statuses = async (path: string) => [
      (await raw(origin, [`GET ${path} HTTP/1.1`])).status,
      (await raw(origin, [`GET ${path} HTTP/1.1`, mine])).status,
    ];
    for (const path of [
      '/webhooks',
      '/webhooks/',
      '/webhooks?',
      '/./webhooks',
      '/x/../webhooks',
      '/x/%2e%2e/webhooks',
    ]) {
      expect([path, ...(await statuses(`/hooks/v1${path}`))]).toEqual([path, 401, 200]);
    }
    for (const path of ['//webhooks', '/webhooks//', '/%2Fwebhooks', '/webhooks%2F', '/%77ebhooks%00', '/']) {
      expect([path, ...(await statuses(`/hooks/v1${path}`))]).toEqual([path, 401, 404]);
    }
    for (const path of [
      '/hooks',
      '/hooks/',
      '/hooks//v1/webhooks',
      '/hooks/v1%2Fwebhooks',
      '/HOOKS/v1/webhooks',
      '/hooks/V1/webhooks',
    ]) {
      expect([path, ...(await statuses(path))]).toEqual([path, 404, 404]);
    }
    expect(await statuses('/%68ooks/v1/webhooks')).not.toContain(200);
    expect(await statuses('//hooks/v1/webhooks')).toEqual([418, 418]);
  });
});

describe('Fastify', () => {
  async function listen(app: ReturnType<typeof fastify>): Promise<string> {
    onTestFinished(() => app.close());
    return app.listen({ port: 0, host: '127.0.0.1' });
  }

  test('delivers the payload byte for byte if mounted in a scope without a parser', async () => {
    const { api, key } = await mounted();
    const app = fastify();
    app.register(async (scope) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
      scope.all(`${basePath}/*`, (request, reply) => {
        reply.hijack();
        return api(request.raw, reply.raw);
      });
    });
    const origin = await listen(app);
    await makesAWebhook(origin, key);
    expect(await payloadStored(origin, key, particular)).toBe(particular);
  });

  test('uses the parsed body if it is handed over', async () => {
    const { api, key } = await mounted();
    const app = fastify();
    app.all(`${basePath}/*`, (request, reply) => {
      reply.hijack();
      return api(Object.assign(request.raw, { body: request.body }), reply.raw);
    });
    const origin = await listen(app);
    await makesAWebhook(origin, key);
    expect(JSON.parse(await payloadStored(origin, key, particular))).toEqual(JSON.parse(particular));
  });
});

describe('Koa', () => {
  async function listen(app: Pick<Koa, 'listen'>): Promise<string> {
    const server = app.listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const mount =
    (api: NodeHandler): Koa.Middleware =>
    (context) => {
      context.respond = false;
      return api(context.req, context.res);
    };

  test('delivers the payload byte for byte', async () => {
    const { api, key } = await mounted();
    const origin = await listen(new Koa().use(mount(api)));
    await makesAWebhook(origin, key);
    expect(await payloadStored(origin, key, particular)).toBe(particular);
  });

  test('uses the body of a parser that sets it on the Node request', async () => {
    const { api, key } = await mounted();
    const origin = await listen(new Koa().use(bodyParser({ patchNode: true })).use(mount(api)));
    await makesAWebhook(origin, key);
    expect(JSON.parse(await payloadStored(origin, key, particular))).toEqual(JSON.parse(particular));
  });

  test('reports a parser that has read the body and does not share it', async () => {
    const onError = vi.fn();
    const { api, key } = await mounted({ onError });
    const origin = await listen(new Koa().use(bodyParser()).use(mount(api)));
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetch(`${origin}${basePath}/webhooks`, { method: 'POST', headers, body: '{}' });
    expect(response.status).toBe(500);
    expect(await response.text()).toContain('mount the API before anything that reads bodies');
    expect(onError).toHaveBeenCalledOnce();
  });
});

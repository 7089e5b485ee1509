import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { serve } from '@hono/node-server';
import { type Handler, toNode } from '@posthorn/api';
import express from 'express';
import { fastify } from 'fastify';
import { Hono } from 'hono';

/*
 * Each framework twice: with the API mounted as its example mounts it, and bare, as few lines as do the same call.
 */

/** What a bare handler does of one request: `id` for one webhook, `body` for one that is new, neither for a list. */
export type Bare = (asked: { readonly id?: string; readonly body?: Created }) => Promise<unknown>;
interface Created {
  readonly webhook_name: string;
  readonly event_types: string[];
  readonly channels: [];
}

interface Pair {
  readonly bare: Server;
  readonly api: Server;
}

const root = '/v1/organizations';
const webhooks = `${root}/webhooks`;

function nodeHttp(bare: Bare, api: Handler): Pair {
  const bodyOf = async (request: IncomingMessage) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    return JSON.parse(text);
  };
  const askedBy = async (request: IncomingMessage): Promise<Parameters<Bare>[0]> => {
    if (request.method === 'GET') return { id: request.url!.slice(webhooks.length + 1) };
    const body = await bodyOf(request);
    return request.url === webhooks ? { body } : {};
  };
  const listener: RequestListener = async (request, response) => {
    const answer = JSON.stringify(await bare(await askedBy(request)));
    response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  };
  return { bare: createServer(listener), api: createServer(toNode(api)) };
}

function ofExpress(bare: Bare, api: Handler): Pair {
  const app = express();
  app.use(express.json());
  app.get(`${webhooks}/:id`, async (request, response) => {
    response.json(await bare({ id: request.params.id }));
  });
  app.post(`${webhooks}/list`, async (_request, response) => {
    response.json(await bare({}));
  });
  app.post(webhooks, async (request, response) => {
    response.json(await bare({ body: request.body }));
  });
  const mounted = express();
  mounted.use(root, toNode(api));
  return { bare: createServer(app), api: createServer(mounted) };
}

async function ofFastify(bare: Bare, api: Handler): Promise<Pair> {
  const app = fastify();
  app.get<{ Params: { id: string } }>(`${webhooks}/:id`, ({ params }) => bare({ id: params.id }));
  app.post(`${webhooks}/list`, () => bare({}));
  app.post<{ Body: Created }>(webhooks, ({ body }) => bare({ body }));
  const mounted = fastify();
  const handler = toNode(api);
  mounted.removeAllContentTypeParsers();
  mounted.addContentTypeParser('*', (_request, _payload, done) => done(null));
  mounted.all(`${root}/*`, (request, reply) => {
    reply.hijack();
    return handler(request.raw, reply.raw);
  });
  await Promise.all([app.ready(), mounted.ready()]);
  return { bare: app.server, api: mounted.server };
}

function ofHono(bare: Bare, api: Handler): Pair {
  const app = new Hono();
  app.get(`${webhooks}/:id`, async (c) => c.json(await bare({ id: c.req.param('id') })));
  app.post(`${webhooks}/list`, async (c) => {
    await c.req.json();
    return c.json(await bare({}));
  });
  app.post(webhooks, async (c) => c.json(await bare({ body: await c.req.json() })));
  const mounted = new Hono();
  mounted.all(`${root}/*`, (c) => api(c.req.raw));
  const served = ({ fetch }: Hono) => serve({ fetch, port: 0, hostname: '127.0.0.1' }) as Server;
  return { bare: served(app), api: served(mounted) };
}

export const frameworks = { 'node:http': nodeHttp, express: ofExpress, fastify: ofFastify, hono: ofHono };
export type Framework = keyof typeof frameworks;

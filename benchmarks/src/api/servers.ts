import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { serve } from '@hono/node-server';
import { type Handler, toNode } from '@posthorn/api';
import express from 'express';
import { fastify } from 'fastify';
import { Hono } from 'hono';

/*
 * Each framework, with a minimal hand-written handler, and with the API mounted as in its example.
 */

/** A hand-written handler: with `id` it reads one webhook, with `body` it creates one, with neither it lists them. */
export type ByHand = (asked: { readonly id?: string; readonly body?: Created }) => Promise<unknown>;
interface Created {
  readonly webhook_name: string;
  readonly event_types: string[];
  readonly channels: { readonly channel: string; readonly configs: unknown }[];
}

interface Servers {
  byHand(call: ByHand): Server | Promise<Server>;
  mounted(api: Handler): Server | Promise<Server>;
}

const root = '/v1/organizations';
const webhooks = `${root}/webhooks`;

async function bodyOf(request: IncomingMessage) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return JSON.parse(text);
}

async function askedBy(request: IncomingMessage): Promise<Parameters<ByHand>[0]> {
  if (request.method === 'GET') return { id: request.url!.slice(webhooks.length + 1) };
  const body = await bodyOf(request);
  return request.url === webhooks ? { body } : {};
}

const ofNode: Servers = {
  byHand(call) {
    const listener: RequestListener = async (request, response) => {
      const answer = JSON.stringify(await call(await askedBy(request)));
      response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
    };
    return createServer(listener);
  },
  mounted: (api) => createServer(toNode(api)),
};

const ofExpress: Servers = {
  byHand(call) {
    const app = express();
    app.use(express.json());
    app.get(`${webhooks}/:id`, async (request, response) => {
      response.json(await call({ id: request.params.id }));
    });
    app.post(`${webhooks}/list`, async (_request, response) => {
      response.json(await call({}));
    });
    app.post(webhooks, async (request, response) => {
      response.json(await call({ body: request.body }));
    });
    return createServer(app);
  },
  mounted: (api) => createServer(express().use(root, toNode(api))),
};

const ofFastify: Servers = {
  async byHand(call) {
    const app = fastify();
    app.get<{ Params: { id: string } }>(`${webhooks}/:id`, ({ params }) => call({ id: params.id }));
    app.post(`${webhooks}/list`, () => call({}));
    app.post<{ Body: Created }>(webhooks, ({ body }) => call({ body }));
    await app.ready();
    return app.server;
  },
  async mounted(api) {
    const app = fastify();
    const handler = toNode(api);
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.all(`${root}/*`, (request, reply) => {
      reply.hijack();
      return handler(request.raw, reply.raw);
    });
    await app.ready();
    return app.server;
  },
};

const served = ({ fetch }: Hono): Server => serve({ fetch, port: 0, hostname: '127.0.0.1' }) as Server;

const ofHono: Servers = {
  byHand(call) {
    const app = new Hono();
    app.get(`${webhooks}/:id`, async (c) => c.json(await call({ id: c.req.param('id') })));
    app.post(`${webhooks}/list`, async (c) => {
      await c.req.json();
      return c.json(await call({}));
    });
    app.post(webhooks, async (c) => c.json(await call({ body: await c.req.json() })));
    return served(app);
  },
  mounted: (api) => served(new Hono().all(`${root}/*`, (c) => api(c.req.raw))),
};

export const frameworks = { 'node:http': ofNode, express: ofExpress, fastify: ofFastify, hono: ofHono };
export type Framework = keyof typeof frameworks;

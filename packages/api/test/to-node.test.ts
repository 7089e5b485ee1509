import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { until } from '@posthorn/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Answered, createApi, type Handler, toNode } from '../src/index.js';
import { engine, keyOf, recorded } from './api.js';
import { raw, served, socketTo } from './served.js';

const path = '/v1/organizations/webhooks';
const json = { 'content-type': 'application/json' };

/** An API of an engine, and the headers of a tenant with all scopes. */
async function apiWithKey(options: Parameters<typeof createApi>[1] = {}) {
  const dispatcher = engine();
  const key = await keyOf(dispatcher, 'acme');
  const api = createApi(dispatcher, { rateLimit: false, ...options });
  return { dispatcher, api, key, headers: { authorization: `Bearer ${key}`, ...json } };
}

/** The warnings of the process while a test runs. */
function warnings(): Error[] {
  const heard: Error[] = [];
  const hear = (warning: Error) => void heard.push(warning);
  process.on('warning', hear);
  onTestFinished(() => void process.off('warning', hear));
  return heard;
}

describe.each<[string, (api: Handler) => Handler]>([
  ['the API', (api) => api],
  ['the API in a handler of the application’s own', (api) => async (request) => api(new Request(request))],
])('%s', (_, wrapped) => {
  test('creates, reads and deletes over HTTP as the handler does', async () => {
    const { api, headers } = await apiWithKey();
    const { origin } = await served(toNode(wrapped(api)));
    const created = await fetch(origin + path, {
      method: 'POST',
      headers,
      body: JSON.stringify(recorded('Ünï ✓')),
    });
    expect([created.status, created.headers.get('etag')]).toEqual([201, expect.stringMatching(/^"1-\w+"$/)]);
    const webhook = (await created.json()) as { webhook_id: string; webhook_name: string };
    expect(webhook.webhook_name).toBe('Ünï ✓');

    const read = await fetch(`${origin}${path}/${webhook.webhook_id}`, { headers });
    expect(await read.json()).toEqual(webhook);
    expect(await (await fetch(origin + path, { headers })).json()).toEqual([webhook]);

    const head = await fetch(`${origin}${path}/${webhook.webhook_id}`, { method: 'HEAD', headers });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const gone = await fetch(`${origin}${path}/${webhook.webhook_id}`, { method: 'DELETE', headers });
    expect([gone.status, await gone.text()]).toEqual([204, '']);
  });

  test('takes a body without a content-length, and a long one', async () => {
    const { api, key } = await apiWithKey();
    const { origin } = await served(toNode(wrapped(api)));
    const event = JSON.stringify({ event_type: 'order.placed', metadata: { note: '✓'.repeat(60_000) } });
    const head = ['POST /v1/organizations/events HTTP/1.1', `authorization: Bearer ${key}`];
    const long = [...head, 'content-type: application/json', `content-length: ${Buffer.byteLength(event)}`];
    expect((await raw(origin, long, event)).status).toBe(201);
    const chunked = [...head, 'content-type: application/json', 'transfer-encoding: chunked'];
    const short = '{"event_type":"order.placed","metadata":{}}';
    const chunk = `${short.length.toString(16)}\r\n${short}\r\n0\r\n\r\n`;
    expect((await raw(origin, chunked, chunk)).status).toBe(201);
  });

  test.each(['content-length', 'transfer-encoding'])(
    'answers 413 to a body that is too large, by its %s, to a client that is still sending',
    async (announced) => {
      const { api, headers, dispatcher } = await apiWithKey({ maxBodyBytes: 1_000 });
      const { origin } = await served(toNode(wrapped(api)));
      const sent = httpRequest(origin + path, {
        method: 'POST',
        headers: { ...headers, ...(announced === 'content-length' && { 'content-length': 400_000 }) },
      });
      sent.on('error', () => {});
      const answered = once(sent, 'response');
      sent.write(' '.repeat(100_000));
      const [response] = await answered;
      expect(response.statusCode).toBe(413);
      expect(response.headers.connection).toBe('close');
      expect(JSON.parse(await text(response))).toMatchObject({ error: { type: 'PayloadTooLargeError' } });
      expect((await dispatcher.webhooks.list({ tenantId: 'acme' })).items).toEqual([]);
    },
  );
});

describe('reading the body is left to the API', () => {
  test.each<[string, (request: Request) => Promise<unknown>]>([
    ['reads', (request) => request.text()],
    ['reads a copy of', (request) => request.clone().text()],
  ])('an auth function that %s the body gets an error, and never an empty body', async (_, read) => {
    const onError = vi.fn();
    const { api } = await apiWithKey({
      async auth(request) {
        await read(request);
        return { tenantId: 'acme', scopes: ['webhooks:read'] };
      },
      onError,
    });
    const { origin } = await served(toNode(api));
    expect((await fetch(origin + path)).status).toBe(200);
    const listed = await fetch(`${origin}${path}/list`, { method: 'POST', headers: json, body: '{}' });
    expect(listed.status).toBe(500);
    const mistake = new TypeError('auth must not read the body of the request');
    expect(onError).toHaveBeenCalledExactlyOnceWith(mistake, expect.anything());
  });

  test('a body that is decoded as text before the API is refused', async () => {
    const { api, key } = await apiWithKey({ onError: () => {} });
    const { origin, server } = await served((request, response) => {
      void toNode(api)(request.setEncoding('utf8'), response);
    });
    const socket = await socketTo(origin);
    const head = `POST ${path}/list HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\nconnection: close\r\n`;
    socket.write(`${head}content-type: application/json\r\ncontent-length: 2\r\n\r\n{`);
    await once(server, 'request');
    socket.write('}');
    expect(await text(socket)).toMatch(/ 500 .*setEncoding/s);
  });
});

describe('a refused body', () => {
  test('is not read to its end: the answer comes, then the connection is closed', async () => {
    const { api, key } = await apiWithKey();
    const { origin } = await served(toNode(api));
    const socket = await socketTo(origin);
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n\r\n`,
    );
    let sent = 0;
    const chunk = Buffer.alloc(65_536, 32);
    const send = () => {
      while (!socket.destroyed && sent < 1e9) {
        sent += chunk.length;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on('drain', send);
    send();
    await until(() => socket.destroyed);
    expect(answer).toContain('HTTP/1.1 413 ');
    expect(sent).toBeLessThan(50_000_000);
  });

  test('does not hold the connection for long if the client stops sending', async () => {
    const { api } = await apiWithKey();
    const { origin, server } = await served(toNode(api));
    const socket = await socketTo(origin);
    socket.write(`POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n{`);
    expect(await text(socket)).toContain('HTTP/1.1 401 ');
    expect(await connectionsOf(server)).toBe(0);
  });

  test('keeps the connection open if it was received completely', async () => {
    const { api } = await apiWithKey();
    const { origin } = await served(toNode(api));
    const socket = await socketTo(origin);
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    const request = `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}`;
    socket.write(request + request);
    await until(() => answer.split('HTTP/1.1 401 ').length === 3);
    expect(answer.toLowerCase()).toContain('connection: keep-alive');
  });
});

const connectionsOf = (server: {
  getConnections(callback: (error: unknown, count: number) => void): unknown;
}) =>
  until(
    () => new Promise<string>((resolve) => server.getConnections((_, count) => resolve(`${count}`))),
  ).then(Number);

describe('headers and methods on a raw socket', () => {
  test('two Authorization headers are a 401, even if one of them is valid', async () => {
    const { api, key } = await apiWithKey();
    const { origin } = await served(toNode(api));
    const good = `authorization: Bearer ${key}`;
    const bad = 'authorization: Bearer sk_live_nobody';
    const get = `GET ${path} HTTP/1.1`;
    expect((await raw(origin, [get, good])).status).toBe(200);
    for (const both of [
      [good, bad],
      [bad, good],
      [good, good],
    ]) {
      expect((await raw(origin, [get, ...both])).status).toBe(401);
    }
  });

  test('two content types, and a compressed body, are a 415', async () => {
    const { api, key } = await apiWithKey();
    const { origin } = await served(toNode(api));
    const post = [`POST ${path} HTTP/1.1`, `authorization: Bearer ${key}`, 'content-length: 2'];
    const type = 'content-type: application/json';
    expect((await raw(origin, [...post, type, type], '{}')).status).toBe(415);
    expect((await raw(origin, [...post, type, 'content-type: text/plain'], '{}')).status).toBe(415);
    expect((await raw(origin, [...post, 'content-type: text/plain'], '{}')).status).toBe(415);
    const bomb = gzipSync(Buffer.alloc(10_000_000, 32));
    const headers = { authorization: `Bearer ${key}`, ...json, 'content-encoding': 'gzip' };
    expect((await fetch(origin + path, { method: 'POST', headers, body: bomb })).status).toBe(415);
  });

  test('TRACE, and HEAD for a path with only POST, are a 405, and method override headers are ignored', async () => {
    const { api, key, headers, dispatcher } = await apiWithKey();
    const { origin } = await served(toNode(api));
    const webhook = await dispatcher.webhooks.create({
      name: 'n',
      tenantId: 'acme',
      eventTypes: ['*'],
      channels: [{ channel: 'record', configs: {} }],
    });
    const mine = `authorization: Bearer ${key}`;
    const trace = await raw(origin, [`TRACE ${path} HTTP/1.1`, mine]);
    expect(trace.status).toBe(405);
    expect(JSON.parse(trace.body)).toMatchObject({ error: { type: 'MethodNotAllowedError' } });
    expect((await raw(origin, ['HEAD /v1/organizations/replay HTTP/1.1', mine])).status).toBe(405);
    for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
      const overridden = { ...headers, [name]: 'DELETE' };
      const url = `${origin}${path}/${webhook.id}`;
      expect((await fetch(url, { method: 'POST', headers: overridden })).status).toBe(405);
      expect((await fetch(`${url}?_method=DELETE`, { headers: overridden })).status).toBe(422);
    }
    expect((await dispatcher.webhooks.list({ tenantId: 'acme' })).items).toHaveLength(1);
  });

  test('an invalid path is a 400, and the host is never taken from the path', async () => {
    const { api, key } = await apiWithKey();
    const { origin } = await served(
      toNode(async (request) =>
        new URL(request.url).host === 'localhost' ? api(request) : new Response('fooled'),
      ),
    );
    const mine = `authorization: Bearer ${key}`;
    expect((await raw(origin, [`GET http://other.example${path} HTTP/1.1`, mine])).status).toBe(200);
    expect((await raw(origin, [`GET //other.example${path} HTTP/1.1`, mine])).status).toBe(404);
    for (const target of ['*', '@other.example/', ':80/', 'x', 'http://other.example']) {
      expect([target, (await raw(origin, [`OPTIONS ${target} HTTP/1.1`, mine])).status]).toEqual([
        target,
        400,
      ]);
    }
  });

  test('A29: headers of 100 kB never reach the API', async () => {
    const { api } = await apiWithKey();
    const asked: unknown[] = [];
    const mounted = toNode(api);
    const { origin } = await served((request, response) => {
      asked.push(request.headers.authorization);
      return mounted(request, response);
    });
    const statusFor = async (key: string) =>
      (await raw(origin, [`GET ${path} HTTP/1.1`, `authorization: Bearer ${key}`])).status;
    // A client that is still writing may miss Node's 431, but it gets no other answer.
    expect([431, Number.NaN]).toContain(await statusFor('x'.repeat(100_000)));
    expect(await statusFor('unknown')).toBe(401);
    expect(asked).toEqual(['Bearer unknown']);
  });
});

describe('a client that goes away', () => {
  test.each([
    ['content-length: 20', '{"event_'],
    ['transfer-encoding: chunked', '8\r\n{"event_\r\n'],
  ])('in the middle of a body (%s) leaves nothing behind, and is no failure', async (length, half) => {
    const heard = warnings();
    const answers: Answered[] = [];
    const { api, key, dispatcher } = await apiWithKey({ onAnswer: (answered) => answers.push(answered) });
    let isDone = false;
    const mounted = toNode(api);
    const { origin, server } = await served((request, response) => {
      void mounted(request, response).then(() => (isDone = true));
    });
    const socket = await socketTo(origin);
    socket.write(
      `POST /v1/organizations/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n${length}\r\n\r\n${half}`,
    );
    await once(server, 'request');
    socket.destroy();
    await until(() => isDone);
    await until(async () => (await connectionsOf(server)) === 0);
    expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
    expect(heard).toEqual([]);
    expect((await dispatcher.events.list({ tenantId: 'acme' })).items).toEqual([]);
  });

  test.each([
    ['nothing', undefined],
    ['an empty body, as parsers do that have read none', {}],
  ])('before its body was read has sent no body, even if others leave %s', async (_, body) => {
    const answers: number[] = [];
    const errors: unknown[] = [];
    const { api, key, dispatcher } = await apiWithKey({
      onAnswer: ({ status }) => answers.push(status),
      onError: (error) => errors.push(error),
    });
    const mounted = toNode(api);
    const { origin } = await served((request, response) => {
      request.once('close', () => void mounted(Object.assign(request, { body }), response));
    });
    const replay = vi.spyOn(dispatcher.replays, 'create');
    const socket = await socketTo(origin);
    const filter = '{"event_type":"order.placed"}';
    socket.write(
      `POST /v1/organizations/replay HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${filter.length}\r\n\r\n${filter}`,
      () => socket.destroy(),
    );
    await until(() => answers.length > 0);
    expect([answers, errors]).toEqual([[400], []]);
    expect(replay).not.toHaveBeenCalled();
  });

  test('during an answer, or that reads none of it, causes no more to be produced than fits the buffers', async () => {
    const heard = warnings();
    let made = 0;
    let isCancelled = false;
    const endless: Handler = async () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            made++;
            controller.enqueue(new Uint8Array(1_000_000));
          },
          cancel() {
            isCancelled = true;
          },
        }),
      );
    const { origin, server } = await served(toNode(endless));
    const socket = await socketTo(origin);
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await still(() => made);
    expect(made).toBeLessThan(30);
    socket.destroy();
    await until(() => isCancelled);
    await until(async () => (await connectionsOf(server)) === 0);
    expect(heard).toEqual([]);
  });

  test('A29: that never sends the rest is disconnected at the timeout of the server', async () => {
    const { api, key } = await apiWithKey();
    const { origin } = await served(toNode(api), {
      requestTimeout: 100,
      headersTimeout: 100,
      connectionsCheckingInterval: 20,
    });
    const socket = await socketTo(origin);
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{`,
    );
    expect(await text(socket)).toContain('408 ');
    expect((await raw(origin, [`GET ${path} HTTP/1.1`, `authorization: Bearer ${key}`])).status).toBe(200);
  });
});

/** Resolves when a count has started to rise and rises no more. */
async function still(count: () => number): Promise<void> {
  let before = 0;
  await until(
    () => {
      const isStill = before > 0 && count() === before;
      before = count();
      return isStill;
    },
    { everyMs: 200 },
  );
}

describe('answers', () => {
  test('of 10,000 webhooks are complete, from pages that are read as they are sent', async () => {
    const { dispatcher, api, headers } = await apiWithKey();
    const total = 10_000;
    for (let n = 0; n < total; n++) {
      await dispatcher.webhooks.create({
        name: `${n}`,
        tenantId: 'acme',
        eventTypes: ['*'],
        channels: [{ channel: 'record', configs: { note: 'x'.repeat(2_000) } }],
      });
    }
    const { list } = dispatcher.webhooks;
    let pages = 0;
    dispatcher.webhooks.list = (options) => {
      pages++;
      return list(options);
    };
    const { origin } = await served(toNode(api));
    const sent = httpRequest(origin + path, { headers }).end();
    const [response] = await once(sent, 'response');
    await still(() => pages);
    expect(pages).toBeLessThan(8);
    const webhooks = JSON.parse(await text(response));
    expect(webhooks.map((webhook: { webhook_name: string }) => webhook.webhook_name)).toEqual(
      Array.from({ length: total }, (_, n) => `${total - 1 - n}`),
    );
    expect(pages).toBeLessThanOrEqual(11);
  });

  test('keep headers that were set before, each cookie separately', async () => {
    const mounted = toNode(async () => {
      const headers = new Headers({ 'x-set': 'by the handler' });
      headers.append('set-cookie', 'a=1, b');
      headers.append('set-cookie', 'c=2');
      return new Response('answer', { headers });
    });
    const { origin } = await served((request, response) => {
      response.setHeader('x-set', 'before').setHeader('x-other', 'kept').setHeader('set-cookie', 's=0');
      void mounted(request, response);
    });
    const { headers } = await fetch(origin);
    expect([headers.get('x-set'), headers.get('x-other')]).toEqual(['by the handler', 'kept']);
    expect(headers.getSetCookie()).toEqual(['s=0', 'a=1, b', 'c=2']);
  });

  test('are not sent if another handler has already answered', async () => {
    const heard = warnings();
    const mounted = toNode(async () => new Response('too late'));
    const { origin } = await served((request, response) => {
      response.end('first');
      void mounted(request, response);
    });
    expect(await (await fetch(origin)).text()).toBe('first');
    expect(heard).toEqual([]);
  });

  test('of a handler that rejects are a 500 without details, and a warning of the process', async () => {
    const heard = warnings();
    const { origin } = await served(
      toNode(async () => {
        throw new Error('secret');
      }),
    );
    const response = await fetch(origin, { method: 'POST', body: 'x' });
    expect(response.status).toBe(500);
    expect(await response.text()).toMatch(/^\{"success":false,"status":500,(?!.*secret)/);
    await until(() => heard.some(({ message }) => message === 'secret'));
  });

  test('that fail halfway do not look complete', async () => {
    const heard = warnings();
    const { origin } = await served(
      toNode(async () => {
        const pieces = ['half'];
        return new Response(
          new ReadableStream({
            pull(controller) {
              const piece = pieces.shift();
              if (piece === undefined) throw new Error('the storage is gone');
              controller.enqueue(new TextEncoder().encode(piece));
            },
          }),
        );
      }),
    );
    const response = await fetch(origin);
    await expect(response.text()).rejects.toThrow();
    await until(() => heard.some(({ message }) => message === 'the storage is gone'));
  });
});

test('HTTP/2 is answered as HTTP/1 is, a body that is too large included', async () => {
  const { api, key } = await apiWithKey({ maxBodyBytes: 200_000 });
  const server = createHttp2Server({}, toNode(api)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => void client.destroy());

  async function call(method: string, to: string, body?: string) {
    const stream = client.request({
      ':method': method,
      ':path': to,
      authorization: `Bearer ${key}`,
      ...(body !== undefined && json),
    });
    stream.on('error', () => {});
    stream.end(body);
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    return { status: headers[':status'], text: await text(stream) };
  }
  expect((await call('POST', path, JSON.stringify(recorded()))).status).toBe(201);
  expect(JSON.parse((await call('GET', path)).text)).toMatchObject([{ webhook_name: 'Orders' }]);
  expect((await call('DELETE', `${path}/wh_abcDEF1234`)).status).toBe(204);
  expect((await call('TRACE', path)).status).toBe(405);
  expect((await call('POST', path, ' '.repeat(1_000_000))).status).toBe(413);
  expect((await call('GET', path)).status).toBe(200);
});

test('an HTTP/2 client that disconnects before its body was read has sent no body', async () => {
  const answers: number[] = [];
  const { api, key, dispatcher } = await apiWithKey({ onAnswer: ({ status }) => answers.push(status) });
  const replay = vi.spyOn(dispatcher.replays, 'create');
  const mounted = toNode(api);
  const server = createHttp2Server({}, (request, response) => {
    request.once('aborted', () => void mounted(request, response));
    client.destroy();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stream = client.request({
    ':method': 'POST',
    ':path': '/v1/organizations/replay',
    authorization: `Bearer ${key}`,
    ...json,
  });
  stream.on('error', () => {}).end('{"event_type":"order.placed"}');
  await until(() => answers.length > 0);
  expect(answers).toEqual([400]);
  expect(replay).not.toHaveBeenCalled();
});

import { getEventListeners } from 'node:events';
import type { LookupFunction, Socket } from 'node:net';
import { until } from '@posthorn/testing';
import { certificate } from '@posthorn/testing/hostile-receiver';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkUrl, createOutbound, type OutboundOptions, type OutboundRequest } from '../src/index.js';
import { client } from './client.js';
import { answering } from './names.js';
import { freePort, receiver, reset, response } from './receiver.js';

const authority = certificate({ name: 'Test authority' });

describe('a request', () => {
  test('resolves to what the receiver answered', async () => {
    const { url, requests } = await receiver((socket) =>
      socket.write(response(202, 'taken: é日🎺', 'X-Tag: a\r\nx-tag: b\r\nretry-after: 3\r\n')),
    );
    const result = await client().request({ url, method: 'PUT', body: 'é日🎺' });
    expect(result).toMatchObject({
      ok: true,
      status: 202,
      headers: { 'x-tag': ['a', 'b'], 'retry-after': '3' },
      body: 'taken: é日🎺',
      bodyTruncated: false,
      bodyComplete: true,
    });
    expect(requests[0]).toMatch(/^PUT \/hook /);
    expect(requests[0]).toMatch(/content-length: 9\r\n/);
  });

  test('sends bytes unchanged', async () => {
    const { url, requests } = await receiver((socket) => socket.write(response(200)));
    await client().request({ url, body: new Uint8Array([0xff, 0x00, 0x80]) });
    expect(requests[0]!.slice(-3)).toBe('\u00ff\u0000\u0080');
  });

  test('sends an empty body with length 0', async () => {
    const { url, requests } = await receiver((socket) => socket.write(response(200)));
    await client().request({ url, body: '' });
    expect(requests[0]).toMatch(/content-length: 0\r\n\r\n$/);
  });

  test.each([
    [{ method: 'CONNECT' }],
    [{ method: 'post' }],
    [{ method: 'POST / HTTP/1.1\r\n' }],
    [{ body: {} as string }],
    [{ timeoutMs: 0 }],
    [{ timeoutMs: Number.NaN }],
    [{ timeoutMs: 1e12 }],
  ])('%j rejects as invalid_option', async (wrong) => {
    const { url, sockets } = await receiver(() => {});
    await expect(client().request({ url, ...wrong })).rejects.toMatchObject({ code: 'invalid_option' });
    expect(sockets).toEqual([]);
  });
});

test('a request that has ended leaves no timer behind', async () => {
  const timers = (): number =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const { url } = await receiver((socket) => socket.write(response(200)));
  const outbound = client({ timeoutMs: 60_000 });
  const before = timers();
  await outbound.request({ url });
  await outbound.request({ url: `http://127.0.0.1:${await freePort()}` });
  // Fewer if a timer of an earlier test ends meanwhile.
  expect(timers()).toBeLessThanOrEqual(before);
});

describe('connections', () => {
  test('are kept and reused, one request at a time', async () => {
    const { url, sockets } = await receiver((socket) => socket.write(response(200)));
    const outbound = client();
    for (let i = 0; i < 10; i++) expect(await outbound.request({ url })).toMatchObject({ status: 200 });
    expect(sockets).toHaveLength(1);
  });

  test('are opened for concurrent requests up to the limit; other requests wait', async () => {
    const { url, sockets } = await receiver((socket, request) =>
      socket.write(response(200, /\d+$/.exec(request)![0])),
    );
    const outbound = client({ connections: 4 });
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => outbound.request({ url, body: String(i) })),
    );
    expect(results.map((result) => result.ok && result.body)).toEqual(
      Array.from({ length: 50 }, (_, i) => `${i}`),
    );
    expect(sockets).toHaveLength(4);
  });

  test('are closed after being idle', async () => {
    const { url, open, sockets } = await receiver((socket) => socket.write(response(200)));
    const outbound = client({ keepAliveMs: 20 });
    await outbound.request({ url });
    await until(() => open() === 0, { timeoutMs: 2_000 });
    expect(await outbound.request({ url })).toMatchObject({ status: 200 });
    expect(sockets).toHaveLength(2);
  });

  test('are replaced when they are too old, even if busy, and go to where the name resolves by then', async () => {
    const old = await receiver((socket) => socket.write(response(200, 'old')));
    const { port } = old;
    const current = await receiver((socket) => socket.write(response(200, 'new')), {
      host: '127.0.0.2',
      port,
    });
    let address = '127.0.0.1';
    const lookup: LookupFunction = (...asked) => answering(address)(...asked);
    const policy = { allowHttp: true, allowCidrs: ['127.0.0.0/8'], lookup };
    const outbound = client({ policy, maxConnectionAgeMs: 200 });
    const send = () => outbound.request({ url: `http://receiver.example:${port}/` });
    expect(await send()).toMatchObject({ body: 'old' });
    expect(await send()).toMatchObject({ body: 'old' });
    expect(old.sockets).toHaveLength(1);
    address = '127.0.0.2';
    await until(async () => {
      const result = await send();
      return result.ok && result.body === 'new';
    });
    await until(() => old.open() === 0);
    expect(current.sockets.length).toBeGreaterThan(0);
    await outbound.close();
  });

  test('live five times keepAliveMs by default', async () => {
    const { url, sockets } = await receiver((socket) => socket.write(response(200)));
    const outbound = client({ keepAliveMs: 20 });
    const begun = performance.now();
    await until(async () => {
      await outbound.request({ url });
      return sockets.length > 1;
    });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(20);
  });

  test.each([500, 502, 503, 504, 599, 421])(
    'are not kept after a %i, since another server may succeed',
    async (status) => {
      const { url, sockets, open } = await receiver((socket, _, number) =>
        socket.write(response(number === 1 ? status : 200)),
      );
      const outbound = client({ connections: 1 });
      expect(await outbound.request({ url })).toMatchObject({ ok: true, status });
      await until(() => open() === 0);
      expect(await outbound.request({ url })).toMatchObject({ ok: true, status: 200 });
      expect(sockets).toHaveLength(2);
    },
  );

  test.each([400, 404, 429])('are kept after a %i', async (status) => {
    const { url, sockets } = await receiver((socket) => socket.write(response(status)));
    const outbound = client();
    for (let i = 0; i < 2; i++) expect(await outbound.request({ url })).toMatchObject({ ok: true, status });
    expect(sockets).toHaveLength(1);
  });

  test('are closed sooner if the receiver announces a shorter Keep-Alive', async () => {
    const { url, sockets, open } = await receiver((socket) =>
      socket.write(response(200, '', 'connection: keep-alive\r\nkeep-alive: timeout=1\r\n')),
    );
    await client().request({ url });
    await until(() => sockets.length === 1 && open() === 0, { timeoutMs: 1_000 });
  });

  test('are closed after keepAliveMs even if the receiver announces a longer Keep-Alive', async () => {
    const { url, open } = await receiver((socket) =>
      socket.write(response(200, '', 'connection: keep-alive\r\nkeep-alive: timeout=99999\r\n')),
    );
    await client({ keepAliveMs: 20 }).request({ url });
    await until(() => open() === 0, { timeoutMs: 2_000 });
  });

  test('are not kept if the receiver sends connection: close', async () => {
    const { url, sockets } = await receiver((socket) =>
      socket.end(response(200, '', 'connection: close\r\n')),
    );
    const outbound = client({ connections: 1 });
    const results = await Promise.all([1, 2, 3].map(() => outbound.request({ url })));
    expect(results).toMatchObject([{ status: 200 }, { status: 200 }, { status: 200 }]);
    expect(sockets).toHaveLength(3);
  });

  test('of the least recently used origin are closed to make room for a new one', async () => {
    const first = await receiver((socket) => socket.write(response(200)));
    const second = await receiver((socket) => socket.write(response(200)));
    const third = await receiver((socket) => socket.write(response(200)));
    const outbound = client({ maxOrigins: 2 });
    await outbound.request({ url: first.url });
    await outbound.request({ url: second.url });
    await outbound.request({ url: first.url });
    await outbound.request({ url: third.url });
    await until(() => second.open() === 0);
    expect([first.open(), third.open()]).toEqual([1, 1]);
    expect(await outbound.request({ url: second.url })).toMatchObject({ status: 200 });
  });

  test('that are idle number at most `connections` for each of `maxOrigins` origins', async () => {
    const receivers = await Promise.all(
      Array.from({ length: 4 }, () => receiver((socket) => socket.write(response(200)))),
    );
    const outbound = client({ maxOrigins: 2, connections: 3 });
    for (const { url } of receivers) {
      await Promise.all(Array.from({ length: 10 }, () => outbound.request({ url })));
    }
    await until(() => receivers.slice(0, 2).every(({ open }) => open() === 0));
    expect(receivers.slice(2).map(({ open }) => open())).toEqual([3, 3]);
  });

  test('that make room finish their requests first', async () => {
    let answer = (): void => {};
    const first = await receiver((socket) => {
      answer = () => socket.write(response(200, 'late'));
    });
    const second = await receiver((socket) => socket.write(response(200)));
    const outbound = client({ maxOrigins: 1, connections: 1 });
    const carried = outbound.request({ url: first.url });
    const waiting = outbound.request({ url: first.url });
    await until(() => first.requests.length === 1);
    await outbound.request({ url: second.url });
    answer();
    expect(await carried).toMatchObject({ body: 'late' });
    await until(() => first.requests.length === 2);
    answer();
    expect(await waiting).toMatchObject({ body: 'late' });
    await until(() => first.open() === 0);
  });

  test('are not reopened after an abort', async () => {
    const { url, open, sockets } = await receiver(() => {});
    const outbound = client();
    await Promise.all([1, 2, 3].map(() => outbound.request({ url, timeoutMs: 30 })));
    await until(() => open() === 0);
    // A round trip to another receiver gives an unwanted new connection time to appear.
    const other = await receiver((socket) => socket.write(response(200)));
    await outbound.request({ url: other.url });
    expect(sockets).toHaveLength(3);
  });
});

describe.each(['http', 'https'])(
  'a kept connection that ends before a byte of the response, over %s',
  (scheme) => {
    const tls = certificate({ name: 'x', issuer: authority, ips: ['127.0.0.1'] });
    const options = scheme === 'https' ? { tls } : {};
    const ca = authority.cert;

    test.each([
      ['is closed', (socket: Socket) => void socket.end()],
      ['is reset', reset],
    ])('%s: an idempotent request is sent again over a new connection', async (_, end) => {
      const { url, requests, sockets } = await receiver(
        (socket, __, number) => (number === 2 ? end(socket) : void socket.write(response(200, `${number}`))),
        options,
      );
      const outbound = client({ ca });
      for (const number of [1, 3]) {
        const result = await outbound.request({ url, body: '{"a":1}', idempotent: true });
        expect(result).toMatchObject({ ok: true, body: `${number}` });
      }
      expect(requests[2]).toBe(requests[1]);
      expect(sockets).toHaveLength(2);
    });

    test('fails the request if the new connection ends the same way', async () => {
      const { url, requests, sockets } = await receiver((socket, _, number) => {
        if (number === 1) socket.write(response(200));
        else socket.end();
      }, options);
      const outbound = client({ ca });
      await outbound.request({ url });
      expect(await outbound.request({ url, idempotent: true })).toMatchObject({ ok: false, kind: 'reset' });
      expect([requests.length, sockets.length]).toEqual([3, 2]);
    });

    test('fails a request that is not idempotent, such as a POST by default', async () => {
      for (const [request, sent] of [
        [{}, 2],
        [{ method: 'PATCH' }, 2],
        [{ method: 'PUT', idempotent: false }, 2],
        [{ method: 'PUT' }, 3],
      ] as const) {
        const { url, requests } = await receiver((socket, _, number) => {
          if (number === 2) socket.end();
          else socket.write(response(200));
        }, options);
        const outbound = client({ ca });
        await outbound.request({ url });
        expect(await outbound.request({ url, ...request })).toMatchObject({ ok: sent === 3 });
        expect(requests).toHaveLength(sent);
      }
    });

    test('fails the request if a byte has arrived or the connection was new', async () => {
      const { url, requests } = await receiver((socket, _, number) => {
        if (number === 1) socket.write(response(200));
        else socket.end(number === 2 ? 'H' : '');
      }, options);
      const outbound = client({ ca });
      await outbound.request({ url });
      for (const sent of [2, 3]) {
        const result = await outbound.request({ url, idempotent: true });
        expect(result).toMatchObject({ ok: false });
        expect(requests).toHaveLength(sent);
      }
    });

    test('does not extend the deadline', async () => {
      const { url, open } = await receiver((socket, _, number) => {
        if (number === 1) socket.write(response(200));
        if (number === 2) socket.end();
      }, options);
      const outbound = client({ ca });
      await outbound.request({ url });
      const result = await outbound.request({ url, idempotent: true, timeoutMs: 300 });
      expect(result).toMatchObject({ ok: false, kind: 'timeout' });
      await until(() => open() === 0);
    });
  },
);

describe('a request that gives up', () => {
  test('while it waits for a connection is never sent', async () => {
    let answer = (): void => {};
    const { url, requests } = await receiver((socket, request) => {
      answer = () => socket.write(response(200));
      if (request.endsWith('third')) answer();
    });
    const outbound = client({ connections: 1 });
    const first = outbound.request({ url, body: 'first' });
    const second = await outbound.request({ url, body: 'second', timeoutMs: 30 });
    expect(second).toEqual({
      ok: false,
      kind: 'timeout',
      message: 'waited for a free connection, had none within 30 ms',
    });
    answer();
    expect(await first).toMatchObject({ status: 200 });
    expect(await outbound.request({ url, body: 'third' })).toMatchObject({ status: 200 });
    expect(requests.map((request) => request.split('\r\n\r\n')[1])).toEqual(['first', 'third']);
  });

  test('while it connects is never sent', async () => {
    // Accepts the connection and never starts TLS.
    const { port, requests } = await receiver(() => {});
    const result = await client().request({ url: `https://127.0.0.1:${port}/`, body: 'x', timeoutMs: 30 });
    expect(result).toEqual({ ok: false, kind: 'connect_timeout', message: 'no connection within 30 ms' });
    expect(requests).toEqual([]);
  });

  test('in the event loop turn in which it would be sent over a kept connection is never sent', async () => {
    const { url, requests } = await receiver((socket) => socket.write(response(200)));
    const outbound = client({ connections: 1 });
    await outbound.request({ url, body: 'first' });
    const abort = new AbortController();
    const second = outbound.request({ url, body: 'second', signal: abort.signal });
    abort.abort();
    expect(await second).toMatchObject({ ok: false, kind: 'aborted' });
    expect(await outbound.request({ url, body: 'third' })).toMatchObject({ status: 200 });
    expect(requests.map((request) => request.split('\r\n\r\n')[1])).toEqual(['first', 'third']);
  });

  test('because its caller aborts it ends at once, and its connection with it', async () => {
    const { url, requests, open } = await receiver(() => {});
    const abort = new AbortController();
    const request = client().request({ url, signal: abort.signal });
    await until(() => requests.length === 1);
    abort.abort();
    expect(await request).toEqual({
      ok: false,
      kind: 'aborted',
      message: 'the request was aborted by its caller',
    });
    await until(() => open() === 0);
  });

  test('before it began is never sent', async () => {
    const { url, sockets } = await receiver(() => {});
    const result = await client().request({ url, signal: AbortSignal.abort() });
    expect(result).toMatchObject({ ok: false, kind: 'aborted' });
    expect(sockets).toEqual([]);
  });

  test('leaves no listener on its signal', async () => {
    const { url } = await receiver((socket) => socket.write(response(200)));
    const { signal } = new AbortController();
    const outbound = client();
    await outbound.request({ url, signal });
    await outbound.request({ url: `http://127.0.0.1:${await freePort()}`, signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('close', () => {
  test('waits for what is in flight, then closes every connection', async () => {
    let answer = (): void => {};
    const { url, open, requests } = await receiver((socket, _, number) => {
      if (number === 1) socket.write(response(200));
      else answer = () => socket.write(response(200, 'late'));
    });
    const outbound = client();
    await outbound.request({ url });
    const late = outbound.request({ url });
    await until(() => requests.length === 2);
    const closed = Promise.all([outbound.close(), outbound.close()]);
    answer();
    expect(await late).toMatchObject({ ok: true, body: 'late' });
    await closed;
    await until(() => open() === 0);
    expect(await outbound.request({ url })).toEqual({
      ok: false,
      kind: 'config',
      message: 'the client is closed',
    });
    await outbound.close();
  });

  test('resolves if nothing was ever sent', async () => {
    await createOutbound().close();
  });
});

describe('an invalid request rejects, and nothing is sent', () => {
  test.each<[unknown, string]>([
    [undefined, 'request must be an object, not undefined'],
    [null, 'request must be an object, not null'],
    ['https://example.com', 'request must be an object, not a string'],
    [{ timeout: 1 }, 'request: unknown field timeout; the fields are url, method, '],
    [{ constructor: 1 }, 'request: unknown field constructor'],
    [{ idempotent: 'yes' }, 'idempotent must be true or false, not a string'],
    [{ idempotent: null }, 'idempotent must be true or false, not null'],
    [{ signal: {} }, 'signal must be an AbortSignal'],
    [{ signal: 'abort' }, 'signal must be an AbortSignal'],
    [{ headers: 'abc' }, 'headers must be'],
    [{ headers: 5 }, 'headers must be'],
    [{ headers: '' }, 'headers must be'],
    [{ headers: new Headers({ 'x-a': 'b' }) }, 'headers must be'],
    [{ headers: new Map([['x-a', 'b']]) }, 'headers must be'],
    [{ headers: [1, 2] }, 'header "1" must not be sent'],
    [{ headers: [['x-a', 'b']] }, 'header "x-a,b" must not be sent'],
    [{ headers: ['x-a'] }, 'header "x-a" must be a string of printable ASCII characters'],
    [{ headers: ['x-a', 'b', 'X-A', 'c'] }, 'header "X-A" must be given once'],
    [{ headers: { 'x-a': 'b', 'X-A': 'b' } }, 'header "X-A" must be given once'],
  ])('%j', async (wrong, message) => {
    const { url, sockets } = await receiver(() => {});
    const isObject = typeof wrong === 'object' && wrong !== null;
    const request = client().request((isObject ? { url, ...wrong } : wrong) as OutboundRequest);
    await expect(request).rejects.toMatchObject({
      code: message.startsWith('header') ? 'invalid_header' : 'invalid_option',
      message: expect.stringContaining(message),
    });
    expect(sockets).toEqual([]);
  });

  test('but the same headers are accepted in consecutive requests', async () => {
    const { url, requests } = await receiver((socket) => socket.write(response(200)));
    const outbound = client();
    for (const name of ['x-a', 'X-A', 'x-a']) await outbound.request({ url, headers: [name, 'b'] });
    expect(requests).toHaveLength(3);
  });
});

test.each<[unknown, string]>([
  [null, 'options of checkUrl must be an object, not null'],
  [{ polcy: {} }, 'unknown option polcy of checkUrl: use lookup, policy'],
  [{ policy: null }, 'policy must be an object, not null'],
  [{ lookup: 5 }, 'policy.lookup must be a function'],
])('checkUrl with %j rejects', async (options, message) => {
  await expect(checkUrl('https://example.com', options as never)).rejects.toMatchObject({
    code: 'invalid_option',
    message: expect.stringContaining(message),
  });
});

describe('a polluted Object.prototype has no effect if it holds', () => {
  test.each<[string, Record<string, unknown>]>([
    ['a policy', { policy: { allowHttp: true, allowCidrs: ['127.0.0.0/8'] } }],
    ['fields of a policy', { allowHttp: true, allowCidrs: ['127.0.0.0/8'], allowHosts: ['127.0.0.1'] }],
    ['a proxy', { proxy: 'http://127.0.0.1:1' }],
    ['a look-up', { lookup: answering('127.0.0.1') }],
    ['the path of a socket', { socketPath: '/nowhere', path: '/nowhere' }],
    ['authorities', { ca: authority.cert, tls: { ca: authority.cert } }],
    ['rejectUnauthorized', { rejectUnauthorized: false }],
  ])('%s', async (_, pollution) => {
    const good = await receiver(() => {}, {
      tls: certificate({ name: 'x', issuer: authority, ips: ['127.0.0.1'] }),
    });
    for (const [name, value] of Object.entries(pollution)) {
      Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
    }
    onTestFinished(() => {
      for (const name of Object.keys(pollution)) delete (Object.prototype as Record<string, unknown>)[name];
    });
    await expect(checkUrl('http://127.0.0.1/')).rejects.toMatchObject({ code: 'url_scheme' });
    await expect(checkUrl('https://127.0.0.1/', { policy: {} })).rejects.toMatchObject({
      code: 'address_forbidden',
    });
    const strict = createOutbound();
    expect(await strict.request({ url: 'https://127.0.0.1/' })).toMatchObject({ kind: 'address_forbidden' });
    expect(await strict.request({ url: 'https://missing.invalid/' })).toMatchObject({ kind: 'dns' });
    await strict.close();
    const opened = createOutbound({ policy: { allowHosts: ['127.0.0.1'] } });
    expect(await opened.request({ url: good.url })).toMatchObject({ kind: 'tls' });
    await opened.close();
  });
});

describe('options', () => {
  test.each<[string, unknown]>([
    ['timeoutMs', { timeoutMs: 0 }],
    ['timeoutMs', { timeoutMs: '15s' }],
    ['connectTimeoutMs', { connectTimeoutMs: -1 }],
    ['maxHeaderBytes', { maxHeaderBytes: 1.5 }],
    ['maxBodyBytes', { maxBodyBytes: Number.POSITIVE_INFINITY }],
    ['maxInformational', { maxInformational: null }],
    ['connections', { connections: 0 }],
    ['keepAliveMs', { keepAliveMs: Number.NaN }],
    ['maxConnectionAgeMs', { maxConnectionAgeMs: 0 }],
    ['maxConnectionAgeMs', { maxConnectionAgeMs: '1m' }],
    ['maxOrigins', { maxOrigins: 0 }],
    ['policy', { policy: null }],
    ['policy', { policy: 'https' }],
    ['allowHTTP', { policy: { allowHTTP: true } }],
    ['policy.allowHttp', { policy: { allowHttp: 'yes' } }],
    ['ca', { ca: 1 }],
    ['ca', { ca: [1] }],
    ['ca', { ca: 'nonsense' }],
    ['ca', { ca: '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n' }],
    ['timeout', { timeout: 1 }],
    ['createOutbound', null],
    ['createOutbound', []],
  ])('%s is refused and named in the error: %j', (name, options) => {
    expect(() => createOutbound(options as OutboundOptions)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
    );
  });

  test('an unknown option is refused with a list of the known ones', () => {
    expect(() => createOutbound({ policy: { allowHTTP: true } as never })).toThrow(
      'unknown option allowHTTP of policy: use allowHttp, ',
    );
    expect(() => createOutbound({ timeout: 1 } as never)).toThrow(
      'unknown option timeout of createOutbound: use policy, timeoutMs, connectTimeoutMs, ',
    );
  });

  test('that are undefined count as omitted', () => {
    expect(() => createOutbound({ timeoutMs: undefined, ca: undefined } as never)).not.toThrow();
  });

  test('maxBodyBytes of 0 keeps no body', async () => {
    const { url } = await receiver((socket) => socket.write(response(200, 'hello')));
    expect(await client({ maxBodyBytes: 0 }).request({ url })).toMatchObject({
      body: '',
      bodyTruncated: true,
    });
  });
});

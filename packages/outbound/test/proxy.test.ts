import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { certificate } from '@posthorn/testing/hostile-receiver';
import { expect, onTestFinished, test } from 'vitest';
import { client } from './client.js';
import { environment } from './environment.js';
import { answering } from './names.js';
import { freePort, receiver, response } from './receiver.js';

const authority = certificate({ name: 'Test authority' });
const good = certificate({ name: 'good', issuer: authority, ips: ['127.0.0.1'] });

/** Starts a forward proxy that connects every request to `port` and records the requests. */
async function proxyTo(port: number, answer = 'HTTP/1.1 200 OK\r\n\r\n') {
  const asked: string[] = [];
  const server = createServer((inner) => {
    inner.on('error', () => {});
    inner.once('data', (request: Buffer) => {
      asked.push(request.toString());
      inner.write(answer);
      if (!/^HTTP\/1\.[01] 2/m.test(answer)) return;
      const outer: Socket = connect(port, '127.0.0.1');
      outer.on('error', () => inner.destroy());
      inner.on('close', () => outer.destroy());
      inner.pipe(outer).pipe(inner);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { asked, proxy: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('every request goes through the proxy, which resolves the name, and connections are kept', async () => {
  const { port, sockets } = await receiver((socket) => socket.write(response(200, 'through')));
  const { proxy, asked } = await proxyTo(port);
  const never = () => {
    throw new Error('was asked');
  };
  const outbound = client({ policy: { allowHttp: true, proxy, lookup: never } });
  for (let i = 0; i < 2; i++) {
    const result = await outbound.request({ url: 'http://example.com/hook' });
    expect(result).toMatchObject({ ok: true, status: 200, body: 'through' });
  }
  expect(asked).toEqual(['CONNECT example.com:80 HTTP/1.1\r\nhost: example.com:80\r\n\r\n']);
  expect(sockets).toHaveLength(1);
});

test('interim responses of a proxy are ignored', async () => {
  const { port } = await receiver((socket) => socket.write(response(200, 'through')));
  const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nlink: </x>\r\n\r\n';
  const { proxy } = await proxyTo(port, `${interim}HTTP/1.1 200 OK\r\n\r\n`);
  const result = await client({ policy: { allowHttp: true, proxy } }).request({ url: 'http://example.com/' });
  expect(result).toMatchObject({ ok: true, body: 'through' });
});

test('a proxy named in the hosts file is reached in the family it listens on', async () => {
  const { port } = await receiver((socket) => socket.write(response(200, 'through')));
  const { proxy } = await proxyTo(port);
  const named = proxy.replace('127.0.0.1', 'localhost');
  const result = await client({ policy: { allowHttp: true, proxy: named } }).request({
    url: 'http://example.com/',
  });
  expect(result).toMatchObject({ ok: true, body: 'through' });
});

test('a proxy whose name does not resolve fails the request as proxy, not as dns', async () => {
  const policy = { allowHttp: true, proxy: 'http://missing.invalid:3128' };
  const result = await client({ policy, timeoutMs: 9_000 }).request({ url: 'http://example.com/' });
  expect(result).toMatchObject({ ok: false, kind: expect.stringMatching(/^(proxy|connect_timeout)$/) });
});

test("TLS is made with the receiver, not the proxy, and the receiver's certificate is verified", async () => {
  const { port, url } = await receiver((socket) => socket.write(response(200, 'secure')), { tls: good });
  const { proxy, asked } = await proxyTo(port);
  const policy = { proxy, allowHosts: ['127.0.0.1'] };
  const trusting = client({ policy, ca: authority.cert });
  expect(await trusting.request({ url })).toMatchObject({ ok: true, status: 200, body: 'secure' });
  expect(await client({ policy }).request({ url })).toMatchObject({ ok: false, kind: 'tls' });
  expect(asked[0]).toBe(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`);
});

test('the user name and password are sent to the proxy, not to the receiver', async () => {
  const { port, requests } = await receiver((socket) => socket.write(response(200)));
  const { proxy, asked } = await proxyTo(port);
  const withUser = proxy.replace('//', '//me:s%3Acret@');
  await client({ policy: { allowHttp: true, proxy: withUser } }).request({ url: 'http://example.com/' });
  const credentials = Buffer.from('me:s:cret').toString('base64');
  expect(asked[0]).toContain(`\r\nproxy-authorization: Basic ${credentials}\r\n`);
  expect(requests[0]).not.toContain('proxy');
});

/** Starts a proxy that is reached by TLS and connects every request to `port`. */
async function tlsProxyTo(port: number): Promise<string> {
  const server = createTlsServer(good, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('HTTP/1.0 200 OK\r\n\r\n');
      const outer = connect(port, '127.0.0.1');
      socket.on('close', () => outer.destroy());
      socket.pipe(outer).pipe(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a proxy may be reached by TLS', async () => {
  const { port } = await receiver((socket) => socket.write(response(200)));
  const proxy = await tlsProxyTo(port);
  const trusting = client({ policy: { allowHttp: true, proxy }, ca: authority.cert });
  expect(await trusting.request({ url: 'http://example.com/' })).toMatchObject({ ok: true, status: 200 });
  const distrusting = client({ policy: { allowHttp: true, proxy } });
  expect(await distrusting.request({ url: 'http://example.com/' })).toMatchObject({
    ok: false,
    kind: 'proxy',
  });
});

test("a request's authorities and client certificate are not used for the proxy", async () => {
  const { port, requests } = await receiver((socket) => socket.write(response(200)));
  const me = certificate({ name: 'client', issuer: authority, ips: ['127.0.0.1'] });
  const tls = { cert: me.cert, key: me.key, ca: authority.cert };
  const outbound = client({ policy: { allowHttp: true, proxy: await tlsProxyTo(port) } });
  expect(await outbound.request({ url: 'http://example.com/', tls })).toMatchObject({ kind: 'proxy' });
  expect(requests).toEqual([]);
});

test("certificates of proxy and receiver are verified even if the environment turns Node's checks off", async () => {
  environment({ NODE_TLS_REJECT_UNAUTHORIZED: '0' });
  const { port, url, requests } = await receiver((socket) => socket.write(response(200)), { tls: good });
  const toProxy = client({ policy: { allowHttp: true, proxy: await tlsProxyTo(port) } });
  expect(await toProxy.request({ url: 'http://example.com/' })).toMatchObject({ ok: false, kind: 'proxy' });
  const { proxy } = await proxyTo(port);
  const beyond = client({ policy: { proxy, allowHosts: ['127.0.0.1'] } });
  expect(await beyond.request({ url })).toMatchObject({ ok: false, kind: 'tls' });
  expect(requests).toEqual([]);
});

test.each([
  ['refuses', 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', 'the proxy answered CONNECT with 407'],
  ['finds no way', 'HTTP/1.1 502 Bad Gateway\r\n\r\n', 'the proxy answered CONNECT with 502'],
  [
    'speaks another protocol',
    'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'the proxy answered CONNECT with something other than HTTP',
  ],
  [
    'ends lines with a bare LF',
    'HTTP/1.1 200 OK\n\n',
    'the proxy answered CONNECT with something other than HTTP',
  ],
  ['names no status', 'HTTP/1.1 2000\r\n\r\n', 'the proxy answered CONNECT with something other than HTTP'],
  [
    'never ends its answer',
    `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(9000)}`,
    'the proxy answered CONNECT with something other than HTTP',
  ],
])('a proxy that %s is reported as the cause', async (_, answer, message) => {
  const { proxy } = await proxyTo(await freePort(), answer);
  const result = await client({ policy: { allowHttp: true, proxy } }).request({ url: 'http://example.com/' });
  expect(result).toEqual({ ok: false, kind: 'proxy', message });
});

test.each(['HTTP/1.1 200\r\n\r\n', 'HTTP/1.0 204 \r\n\r\n', 'HTTP/1.1 200 OK\r\nx: y\r\n\r\n'])(
  'a proxy that answers %j opens the tunnel',
  async (answer) => {
    const { port } = await receiver((socket) => socket.write(response(200)));
    const { proxy } = await proxyTo(port, answer);
    const result = await client({ policy: { allowHttp: true, proxy } }).request({
      url: 'http://example.com/',
    });
    expect(result).toMatchObject({ ok: true, status: 200 });
  },
);

test('a proxy that cannot be reached is reported as the cause', async () => {
  const proxy = `http://127.0.0.1:${await freePort()}`;
  const result = await client({ policy: { allowHttp: true, proxy } }).request({ url: 'http://example.com/' });
  expect(result).toEqual({ ok: false, kind: 'proxy', message: 'the proxy cannot be reached (ECONNREFUSED)' });
});

test('a silent proxy fails at the connect timeout', async () => {
  const { proxy } = await proxyTo(await freePort(), '');
  const outbound = client({ policy: { allowHttp: true, proxy }, connectTimeoutMs: 50 });
  expect(await outbound.request({ url: 'http://example.com/' })).toMatchObject({ kind: 'connect_timeout' });
});

test.each(['http://127.0.0.1/', 'http://[::1]/', 'http://localhost/', 'http://metadata.google.internal/'])(
  'the proxy is never asked for %s',
  async (url) => {
    const { proxy, asked } = await proxyTo(await freePort());
    const result = await client({ policy: { allowHttp: true, proxy } }).request({ url });
    expect(result).toMatchObject({ ok: false, kind: 'address_forbidden' });
    expect(asked).toEqual([]);
  },
);

test('proxies of the environment are not used', async () => {
  const { url } = await receiver((socket) => socket.write(response(200)));
  const { proxy, asked } = await proxyTo(await freePort());
  environment({ http_proxy: proxy, HTTP_PROXY: proxy, https_proxy: proxy, HTTPS_PROXY: proxy });
  environment({ all_proxy: proxy, NODE_USE_ENV_PROXY: proxy });
  const lookup = answering('127.0.0.1');
  const outbound = client({ policy: { allowHttp: true, lookup, allowCidrs: ['127.0.0.1'] } });
  const result = await outbound.request({ url: url.replace('127.0.0.1', 'example.com') });
  expect(result).toMatchObject({ ok: true, status: 200 });
  expect(asked).toEqual([]);
});

import type { TLSSocket, TlsOptions } from 'node:tls';
import { until } from '@posthorn/testing';
import { type Certificate, certificate } from '@posthorn/testing/hostile-receiver';
import { describe, expect, test } from 'vitest';
import type { OutboundTls } from '../src/index.js';
import { client } from './client.js';
import { environment } from './environment.js';
import { type RawReceiver, receiver, response } from './receiver.js';

const authority = certificate({ name: 'Test authority' });
const good = certificate({ name: 'good', issuer: authority, ips: ['127.0.0.1'] });
const expired = certificate({
  name: 'expired',
  issuer: authority,
  ips: ['127.0.0.1'],
  notAfter: new Date(Date.now() - 60_000),
});
const otherHost = certificate({ name: 'other', issuer: authority, ips: ['127.0.0.2'] });
const selfSigned = certificate({ name: 'self', ips: ['127.0.0.1'] });

const tlsReceiver = (tls: TlsOptions): Promise<RawReceiver> =>
  receiver((socket) => socket.write(response(200, 'secure')), { tls });

describe('TLS', () => {
  test('accepts several authorities in one text', async () => {
    const { url } = await tlsReceiver(good);
    const outbound = client({ ca: `# ours\n${selfSigned.cert}${authority.cert}` });
    expect(await outbound.request({ url })).toMatchObject({ ok: true, status: 200 });
  });

  test('accepts a certificate of a trusted authority and keeps the connection', async () => {
    const { url, sockets } = await tlsReceiver(good);
    const outbound = client({ ca: authority.cert, policy: { allowHosts: ['127.0.0.1'] } });
    expect(await outbound.request({ url })).toMatchObject({ ok: true, status: 200, body: 'secure' });
    expect(await outbound.request({ url })).toMatchObject({ ok: true, status: 200, body: 'secure' });
    expect(sockets).toHaveLength(1);
  });

  test('resumes no session, since that would skip the host name check', async () => {
    const reused: boolean[] = [];
    const { url } = await receiver(
      (socket) => {
        reused.push((socket as TLSSocket).isSessionReused());
        socket.end(response(200, '', 'connection: close\r\n'));
      },
      { tls: good },
    );
    const outbound = client({ ca: authority.cert });
    for (let i = 0; i < 3; i++) expect(await outbound.request({ url })).toMatchObject({ status: 200 });
    expect(reused).toEqual([false, false, false]);
  });

  const refuses = async ({ cert, key }: Certificate, ca: string | undefined, code: string): Promise<void> => {
    const { url, requests } = await tlsReceiver({ cert, key });
    const outbound = client(ca ? { ca } : {});
    const refusal = { ok: false, kind: 'tls', message: `no trusted TLS connection could be made (${code})` };
    expect(await outbound.request({ url, body: 'secret' })).toEqual(refusal);
    expect(await outbound.request({ url, body: 'secret' })).toEqual(refusal);
    expect(requests).toEqual([]);
  };

  const badCertificates: [string, Certificate, string | undefined, string][] = [
    ['of an unknown authority', good, undefined, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['self-signed', selfSigned, undefined, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['self-signed, beside a trusted authority', selfSigned, authority.cert, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['expired', expired, authority.cert, 'CERT_HAS_EXPIRED'],
    ['of another host', otherHost, authority.cert, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ];

  test.each(badCertificates)('refuses a certificate that is %s, every time', async (_, ...bad) => {
    await refuses(...bad);
  });

  test.each(badCertificates)(
    "refuses a certificate that is %s even if the environment turns Node's checks off",
    async (_, ...bad) => {
      environment({ NODE_TLS_REJECT_UNAUTHORIZED: '0' });
      await refuses(...bad);
    },
  );

  test('refuses a receiver that supports TLS 1.0 only', async () => {
    const { url, requests } = await tlsReceiver({
      ...good,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1',
      ciphers: 'ALL:@SECLEVEL=0',
    });
    const result = await client({ ca: authority.cert }).request({ url });
    expect(result).toMatchObject({ ok: false, kind: 'tls' });
    expect(requests).toEqual([]);
  });

  test('fails cleanly with a receiver that supports HTTP/2 only', async () => {
    const { url, requests } = await tlsReceiver({ ...good, ALPNProtocols: ['h2'] });
    const result = await client({ ca: authority.cert }).request({ url });
    expect(result).toMatchObject({ ok: false, kind: 'tls' });
    expect(requests).toEqual([]);
  });

  test('refuses a receiver that speaks plain HTTP', async () => {
    const { port } = await receiver(() => {}, {
      onConnection: (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    });
    const result = await client().request({ url: `https://127.0.0.1:${port}/` });
    expect(result).toMatchObject({ ok: false, kind: 'tls' });
  });

  test('reports a handshake that never ends as connect_timeout and closes the connection', async () => {
    const { port, open } = await receiver(() => {});
    const result = await client({ connectTimeoutMs: 40 }).request({ url: `https://127.0.0.1:${port}/` });
    expect(result).toMatchObject({ ok: false, kind: 'connect_timeout' });
    await until(() => open() === 0);
  });

  test('has a connect timeout precise enough to fire before a slightly later deadline', async () => {
    const { port } = await receiver(() => {});
    const outbound = client({ connectTimeoutMs: 40, timeoutMs: 350 });
    expect(await outbound.request({ url: `https://127.0.0.1:${port}/` })).toEqual({
      ok: false,
      kind: 'connect_timeout',
      message: 'no connection in time (UND_ERR_CONNECT_TIMEOUT)',
    });
  });

  test('closes connections in progress when their requests give up', async () => {
    const { port, open, sockets } = await receiver(() => {});
    const outbound = client({ connections: 2, connectTimeoutMs: 60_000 });
    const url = `https://127.0.0.1:${port}/`;
    const requests = Array.from({ length: 10 }, () => outbound.request({ url, timeoutMs: 20 }));
    expect((await Promise.all(requests)).map((result) => !result.ok && result.kind)).toEqual([
      ...['connect_timeout', 'connect_timeout'],
      ...Array(8).fill('timeout'),
    ]);
    await until(() => open() === 0, { timeoutMs: 2_000 });
    // The last requests end while the client is closing.
    const before = sockets.length;
    const last = [outbound.request({ url, timeoutMs: 60 }), outbound.request({ url, timeoutMs: 60 })];
    await until(() => sockets.length === before + 2);
    await outbound.close();
    expect((await Promise.all(last)).map((result) => !result.ok && result.kind)).toEqual([
      'connect_timeout',
      'connect_timeout',
    ]);
    await until(() => open() === 0, { timeoutMs: 2_000 });
  });

  test('reports a connection closed within the handshake as reset', async () => {
    const { port } = await receiver(() => {}, { onConnection: (socket) => socket.end() });
    const result = await client().request({ url: `https://127.0.0.1:${port}/` });
    expect(result).toMatchObject({ ok: false, kind: 'reset' });
  });
});

describe('a client certificate', () => {
  const me = certificate({ name: 'client', issuer: authority, ips: ['127.0.0.1'] });
  const other = certificate({ name: 'other client', issuer: authority, ips: ['127.0.0.1'] });

  /** Requests a client certificate and answers with its name. */
  const asking = async () =>
    receiver(
      (socket) => {
        const { subject } = (socket as TLSSocket).getPeerCertificate();
        socket.write(response(200, String(subject?.CN)));
      },
      { tls: { ...good, ca: authority.cert, requestCert: true, rejectUnauthorized: true } },
    );

  test('is sent with the request that brings it, together with its own authority', async () => {
    const { url } = await asking();
    const tls = { cert: me.cert, key: me.key, ca: authority.cert };
    expect(await client().request({ url, tls })).toMatchObject({ ok: true, body: 'client' });
    expect(await client().request({ url })).toMatchObject({ ok: false, kind: 'tls' });
  });

  test('is never shared with a request that has another one or none', async () => {
    const { url, sockets } = await asking();
    const outbound = client({ ca: authority.cert });
    const as = ({ cert, key }: Certificate) => ({ url, tls: { cert, key } });
    expect(await outbound.request(as(me))).toMatchObject({ body: 'client' });
    expect(await outbound.request(as(other))).toMatchObject({ body: 'other client' });
    expect(await outbound.request(as(me))).toMatchObject({ body: 'client' });
    expect(sockets).toHaveLength(2);
    expect(await outbound.request({ url })).toMatchObject({ ok: false });
  });

  test.each<[string, object | null]>([
    ['without its key', { cert: me.cert }],
    ['with the key of another', { cert: me.cert, key: other.key }],
    ['that is not a certificate', { cert: 'certificate', key: 'key' }],
    ['with an invalid authority', { ca: 'authority' }],
    ['with an unknown setting', { rejectUnauthorized: false }],
    ['that is not an object', 'tls' as never],
  ])('%s is refused before anything is sent, and never quoted', async (_, tls) => {
    const { url, sockets } = await asking();
    await expect(client().request({ url, tls: tls as OutboundTls })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(/^(?!.*BEGIN).*\btls\b/s),
    });
    expect(sockets).toEqual([]);
  });
});

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { until } from '@posthorn/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { client } from './client.js';
import { answering } from './names.js';
import { freePort, receiver, response } from './receiver.js';

const at = (...addresses: string[]) =>
  client({
    policy: { allowHttp: true, allowCidrs: ['127.0.0.0/8', '::1'], lookup: answering(...addresses) },
    timeoutMs: 8_000,
  });

/**
 * Starts a receiver on 127.0.0.1 that accepts no connection for a second, like a distant one. It blocks its event loop,
 * and therefore runs in a process of its own.
 */
async function slowReceiver(): Promise<{ readonly port: number }> {
  const child = fork(new URL('./slow-receiver.mjs', import.meta.url), { execArgv: [] });
  onTestFinished(() => void child.kill());
  const [port] = (await once(child, 'message')) as [number];
  child.send('sleep');
  await once(child, 'message');
  // The accept queue is as short as possible. A connection that does not fit gets no response.
  const fillers = [1, 2, 3, 4].map(() => connect(port, '127.0.0.1').on('error', () => {}));
  onTestFinished(() => fillers.forEach((filler) => void filler.destroy()));
  await once(fillers[0]!, 'connect');
  return { port };
}

describe.runIf(process.platform === 'linux')('a receiver that takes a second to accept a connection', () => {
  test.each([
    ['and has a second address that refuses', ['127.0.0.1', '::1']],
    ['and has a first address that refuses', ['::1', '127.0.0.1']],
    ['and has the same address three times', ['127.0.0.1', '127.0.0.1', '127.0.0.1']],
    ['and has no other address', ['127.0.0.1']],
  ])('%s, is waited for', async (_, addresses) => {
    const { port } = await slowReceiver();
    const started = performance.now();
    const result = await at(...addresses).request({ url: `http://receiver.example:${port}/hook` });
    expect(result).toMatchObject({ ok: true, body: 'slow' });
    expect(performance.now() - started).toBeGreaterThan(500);
  });

  test('is not waited for if another address accepts, and its pending attempt is closed', async () => {
    const { port } = await slowReceiver();
    const quick = await receiver((socket) => socket.write(response(200, 'quick')), {
      host: '127.0.0.2',
      port,
    });
    const outbound = at('127.0.0.1', '127.0.0.2');
    const result = await outbound.request({ url: `http://receiver.example:${port}/hook` });
    expect(result).toMatchObject({ ok: true, body: 'quick' });
    await outbound.close();
    await until(() => quick.open() === 0);
  });
});

test('a refused connection leads to the next address at once, and the address families alternate', async () => {
  const { url } = await receiver((socket) => socket.write(response(200, 'last')));
  const started = performance.now();
  const refusing = Array.from({ length: 8 }, (_, i) => `127.0.0.${i + 2}`);
  const result = await at(...refusing, '::1', '127.0.0.1').request({
    url: url.replace('127.0.0.1', 'receiver.example'),
  });
  expect(result).toMatchObject({ ok: true, body: 'last' });
  expect(performance.now() - started).toBeLessThan(2_000);
});

test('a request fails once, with the first error, if every address refuses', async () => {
  const port = await freePort();
  const result = await at('127.0.0.1', '::1').request({ url: `http://receiver.example:${port}/` });
  expect(result).toMatchObject({
    ok: false,
    kind: 'refused',
    message: expect.stringContaining('ECONNREFUSED'),
  });
});

test('at most ten addresses of a name are tried', async () => {
  const { url, sockets } = await receiver((socket) => socket.write(response(200)));
  const many = Array.from({ length: 10 }, (_, i) => `127.0.0.${i + 2}`);
  const result = await at(...many, '127.0.0.1').request({
    url: url.replace('127.0.0.1', 'receiver.example'),
  });
  expect(result).toMatchObject({ ok: false, kind: 'refused' });
  expect(sockets).toEqual([]);
});

test('every address is checked before any is dialled', async () => {
  const { url, sockets } = await receiver((socket) => socket.write(response(200)));
  const result = await at('127.0.0.1', '10.0.0.1').request({
    url: url.replace('127.0.0.1', 'receiver.example'),
  });
  expect(result).toMatchObject({ ok: false, kind: 'address_forbidden' });
  expect(sockets).toEqual([]);
});

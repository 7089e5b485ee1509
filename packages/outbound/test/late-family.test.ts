import type { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createGuard, type Guard } from '../src/guard.js';
import { policyOf } from '../src/policy.js';
import { createNames, type Names } from '../src/resolve.js';
import { nameServer } from './name-server.js';
import { freePort, receiver, response } from './receiver.js';

const loopback = { A: [127, 0, 0, 1], AAAA: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] };
const another = { A: [127, 0, 0, 2], AAAA: [0x2a, 0, 0x14, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] };
const hosts = { A: '127.0.0.1', AAAA: '::1' };

/** Longer than a test may take: code that waits for a name server never ends. */
const patienceMs = 60_000;

const guardWith = (names: Names, connectTimeoutMs = 4_000): Guard =>
  createGuard({
    policy: policyOf({ allowHttp: true, allowCidrs: ['127.0.0.0/8', '::1/128'] }),
    connectTimeoutMs,
    trust: createSecureContext(),
    names,
  });

const connectTo = ({ connect }: Guard, port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const target = { hostname: 'receiver.example', protocol: 'http:', port: String(port) };
    connect(target, (error, socket) => {
      if (error) return reject(error);
      onTestFinished(() => void socket.destroy());
      resolve(socket);
    });
  });

/** Names with one family that is answered after the resolution delay. */
async function lateNames(late: 'A' | 'AAAA', records: typeof loopback): Promise<Names> {
  let answer = (): void => {};
  const isAwaited = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const server = await nameServer(async (type) => {
    if (type === late) await isAwaited;
    return [records[type]];
  }, patienceMs);
  const { resolve, resolveTrusted } = createNames(server);
  return {
    resolveTrusted,
    resolve: (host, onLate) =>
      resolve(
        host,
        onLate &&
          ((coming) => {
            answer();
            onLate(coming);
          }),
      ),
  };
}

describe.each([
  ['AAAA', 'A'],
  ['A', 'AAAA'],
] as const)('a name server that drops questions for %s', (dropped, answered) => {
  test('delays no connection for longer than the resolution delay (RFC 8305 §3)', async () => {
    const server = await nameServer((type) => (type === answered ? [loopback[type]] : undefined), patienceMs);
    const { port } = await receiver((socket) => socket.write(response(200)), { host: hosts[answered] });
    const socket = await connectTo(guardWith(createNames(server)), port);
    expect(socket.remoteAddress).toBe(hosts[answered]);
  });

  test('and answers late is still used: its addresses are dialled if the others fail', async () => {
    const names = await lateNames(dropped, loopback);
    const { port } = await receiver((socket) => socket.write(response(200)), { host: hosts[dropped] });
    const socket = await connectTo(guardWith(names), port);
    expect(socket.remoteAddress).toBe(hosts[dropped]);
  });

  test('and answers late with a forbidden address fails a connection that is not yet open', async () => {
    const records = { [answered]: loopback[answered], [dropped]: [10, 0, 0, 1] };
    if (dropped === 'AAAA') records.AAAA = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const names = await lateNames(dropped, records as typeof loopback);
    await expect(connectTo(guardWith(names), await freePort())).rejects.toMatchObject({
      code: 'address_forbidden',
    });
  });

  test('and never answers leaves the error of the other family once DNS has given up', async () => {
    const server = await nameServer((type) => (type === answered ? [loopback[type]] : undefined));
    await expect(connectTo(guardWith(createNames(server)), await freePort())).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  test('is waited for if the other family has no address or fails', async () => {
    for (const [other, code] of [
      [[], 'ETIMEOUT'],
      ['failed', dropped === 'A' ? 'ETIMEOUT' : 'ESERVFAIL'],
      ['refused', dropped === 'A' ? 'ETIMEOUT' : 'EREFUSED'],
    ] as const) {
      const server = await nameServer((type) => (type === answered ? other : undefined));
      const late: unknown[] = [];
      const { resolve } = createNames(server);
      const asking = resolve('example.com', (coming) => late.push(coming));
      await expect(asking).rejects.toMatchObject({ code });
      expect(late).toEqual([]);
    }
  });

  test('is waited for by a check of the URL, which returns all addresses', async () => {
    let answer = (): void => {};
    const server = await nameServer(async (type) => {
      if (type === dropped) await new Promise<void>((resolve) => (answer = resolve));
      return [type === 'A' ? loopback.A : loopback.AAAA];
    }, patienceMs);
    const checking = guardWith(createNames(server)).resolve('http://receiver.example/');
    const isDone = checking.then(() => true);
    // Longer than a connection would wait.
    const { resolve } = createNames(await nameServer((type) => (type === 'A' ? [another.A] : undefined)));
    expect(await resolve('example.com', () => {})).toEqual(['127.0.0.2']);
    expect(await Promise.race([isDone, false])).toBe(false);
    answer();
    expect(await checking).toEqual(['127.0.0.1', '::1']);
  });
});

test('both families are used if both answer within the resolution delay, and no addresses come late', async () => {
  const server = await nameServer((type) => [loopback[type]]);
  const late: unknown[] = [];
  const { resolve } = createNames(server);
  expect(await resolve('example.com', (coming) => late.push(coming))).toEqual(['127.0.0.1', '::1']);
  expect(late).toEqual([]);
});

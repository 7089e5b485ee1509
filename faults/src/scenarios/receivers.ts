import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { httpChannel } from '@posthorn/channel-http';
import { type Attempt, createDispatcher } from '@posthorn/core';
import { createOutbound, type Outbound, type OutboundOptions, type OutboundResult } from '@posthorn/outbound';
import { memoryStorage } from '@posthorn/storage-memory';
import { atLeast, atMost, child, type Finding, pause } from '../rig.js';
import type { Scenario } from '../scenario.js';

interface Hostile {
  readonly urls: readonly string[];
  readonly ca: string;
}

const mebibyte = 1024 * 1024;

/** Collects garbage before measuring: otherwise the size of the heap is a matter of chance. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const local = { allowHttp: true, allowHosts: ['127.0.0.1'] };

/** Runs `body` with receivers of these behaviours. */
async function beside<T>(behaviours: string[], body: (hostile: Hostile) => Promise<T>): Promise<T> {
  const receivers = child('hostile', behaviours);
  try {
    const [hostile] = (await once(receivers, 'message')) as [Hostile];
    return await body(hostile);
  } finally {
    receivers.kill();
    await receivers.exited;
  }
}

/** The CPU time of this thread. On a busy machine the event loop is also blocked by other processes. */
const workedMs = (): number =>
  Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;

/** Measures the worst case of `body` in this process: memory, and how long it blocks the event loop. */
async function costs<T>(
  body: () => Promise<T>,
): Promise<{ result: T; stillMs: number; findings: (rss: number) => Finding[] }> {
  collectGarbage();
  const before = process.memoryUsage().rss;
  let most = before;
  let longestMs = 0;
  let used = workedMs();
  const sampling = setInterval(() => {
    const now = workedMs();
    longestMs = Math.max(longestMs, now - used);
    used = now;
    most = Math.max(most, process.memoryUsage().rss);
  }, 10);
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const result = await body();
  delay.disable();
  clearInterval(sampling);
  const growth = (most - before) / mebibyte;
  return {
    result,
    /** For whatever reason. */
    stillMs: delay.max / 1e6,
    findings: (limit) => [
      atMost('maximum memory', growth, limit, ' MiB'),
      atMost('longest block of the event loop', longestMs, 300, ' ms'),
    ],
  };
}

/**
 * The sockets of this process. Idle ones keep no process alive, so they are no active resources, but they count here.
 */
const openSockets = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => isSocket(`/proc/self/fd/${fd}`)).length;

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    // It was closed after it was listed.
    return false;
  }
}

/** Sockets are closed a moment after their request has ended. */
async function leftOver(before: number): Promise<number> {
  for (let i = 0; i < 100 && openSockets() > before; i++) await pause(20);
  return openSockets() - before;
}

async function withOutbound<T>(
  options: OutboundOptions,
  body: (outbound: Outbound) => Promise<T>,
): Promise<T> {
  const outbound = createOutbound({ policy: local, ...options });
  try {
    return await body(outbound);
  } finally {
    await outbound.close();
  }
}

/** Warms up: the first requests load code, which must not be measured. */
const warm = async (outbound: Outbound, url: string): Promise<void> => {
  await Promise.all(Array.from({ length: 20 }, () => outbound.request({ url, timeoutMs: 200 })));
};

const endOf = (result: OutboundResult): string => (result.ok ? String(result.status) : result.kind);

function others(results: readonly OutboundResult[], expected: string): number {
  return results.filter((result) => endOf(result) !== expected).length;
}

export const slowLoris: Scenario = {
  id: 'F34',
  what: '200 webhooks whose receivers send headers or body one byte at a time',
  run: () =>
    beside(['slow-headers', 'slow-body', 'echo'], async ({ urls: [headers, body, echo] }) => {
      const sockets = openSockets();
      const outbound = createOutbound({ policy: local, connections: 200 });
      const dispatcher = createDispatcher({
        storage: memoryStorage(),
        channels: [httpChannel({ outbound })],
        retry: { schedule: [] },
        concurrency: 200,
      });
      const timeout = 3;
      const add = (name: string, url = '') =>
        dispatcher.webhooks.create({
          name,
          eventTypes: [name],
          channels: [{ channel: 'webhook', configs: { url, timeout } }],
        });
      for (let i = 0; i < 100; i++) await Promise.all([add('slow', headers), add('slow', body)]);
      await add('healthy', echo);
      await warm(outbound, echo!);
      const {
        result: attempts,
        stillMs,
        findings,
      } = await costs(async () => {
        const { eventId } = await dispatcher.dispatch('slow', {});
        await dispatcher.drain();
        const { items } = await dispatcher.deliveries.list({ eventId, limit: 250 });
        return (
          await Promise.all(items.map(({ id }) => dispatcher.deliveries.attempts(id)))
        ).flat() as Attempt[];
      });
      const late = Math.max(...attempts.map(({ durationMs }) => Math.abs(durationMs - timeout * 1_000)));
      const begin = performance.now();
      await dispatcher.dispatch('healthy', {});
      await dispatcher.drain();
      const after = performance.now() - begin;
      await dispatcher.stop();
      await outbound.close();
      return [
        atLeast('attempts', attempts.length, 200),
        atLeast('ended with timeout', attempts.filter(({ kind }) => kind === 'timeout').length, 100),
        atLeast(
          'ended by their status',
          attempts.filter(({ outcome }) => outcome === 'delivered').length,
          100,
        ),
        atMost(
          'longest overrun of the deadline, not counting blocks of the event loop',
          late - stillMs,
          500,
          ' ms',
        ),
        ...findings(50),
        atMost('sockets left', await leftOver(sockets), 0),
        atMost('a healthy delivery afterwards', after, 500, ' ms'),
      ];
    }),
};

export const gluttons: Scenario = {
  id: 'F35',
  what: '50 concurrent endless bodies, then 50 gzip bombs of 50 MB',
  run: () =>
    beside(['endless-body', 'gzip-bomb', 'echo'], async ({ urls: [endless, bomb, echo] }) => {
      const sockets = openSockets();
      return withOutbound({ connections: 50 }, async (outbound) => {
        for (const url of [echo!, endless!, bomb!]) await warm(outbound, url);
        const all = (url = '') => Promise.all(Array.from({ length: 50 }, () => outbound.request({ url })));
        const { result, findings } = await costs(async () => [...(await all(endless)), ...(await all(bomb))]);
        const longest = Math.max(...result.map((answer) => (answer.ok ? answer.body.length : 0)));
        await outbound.close();
        return [
          atMost('not ended by their status', others(result, '200'), 0),
          atMost('longest body kept', longest, 16 * 1024, ' characters'),
          ...findings(30),
          atMost('sockets left', await leftOver(sockets), 0),
        ];
      });
    }),
};

export const blackHole: Scenario = {
  id: 'F37',
  what: 'a SYN without an answer; a TLS peer that never speaks',
  run: () =>
    beside(['tls-silent'], async ({ urls: [silent] }) => {
      const full = child('full', []);
      const filling: Socket[] = [];
      try {
        const [port] = (await once(full, 'message')) as [number];
        full.kill('SIGSTOP');
        // Until one connection hangs: from then on none is accepted.
        for (let isOpen = true; isOpen; ) {
          const socket = connect(port, '127.0.0.1').on('error', () => {});
          filling.push(socket);
          isOpen = await Promise.race([
            once(socket, 'connect').then(() => true),
            pause(300).then(() => false),
          ]);
        }
        const limits = { connectTimeoutMs: 1_000, timeoutMs: 5_000, connections: 20 };
        return await withOutbound(limits, async (outbound) => {
          const findings: Finding[] = [];
          for (const [what, url] of [
            ['SYN', `http://127.0.0.1:${port}/`],
            ['TLS', silent!],
          ] as const) {
            const begin = performance.now();
            const results = await Promise.all(Array.from({ length: 20 }, () => outbound.request({ url })));
            findings.push(
              atMost(`${what}: not ended with connect_timeout`, others(results, 'connect_timeout'), 0),
              atMost(`${what}: the last of 20`, performance.now() - begin, 1_200, ' ms'),
            );
          }
          return findings;
        });
      } finally {
        for (const socket of filling) socket.destroy();
        full.kill('SIGKILL');
        await full.exited;
      }
    }),
};

export const badTls: Scenario = {
  id: 'TLS',
  what: '10,000 attempts at receivers with bad certificates and broken handshakes',
  run: (_rig, { size }) =>
    beside(['tls-self-signed', 'tls-expired', 'tls-wrong-host', 'tls-is-http'], async ({ urls, ca }) => {
      const sockets = openSockets();
      return withOutbound({ ca }, async (outbound) => {
        const count = 10_000 * size;
        let wrong = 0;
        const heaps: number[] = [];
        for (let sent = 0; sent < count; sent += 50) {
          const batch = Array.from({ length: 50 }, (_, i) =>
            outbound.request({ url: urls[i % urls.length]! }),
          );
          wrong += others(await Promise.all(batch), 'tls');
          if (sent % (count / 10) !== 0) continue;
          collectGarbage();
          const { heapUsed, external } = process.memoryUsage();
          heaps.push((heapUsed + external) / mebibyte);
        }
        const half = heaps.length / 2;
        const least = (some: number[]) => Math.min(...some);
        return [
          atMost('not ended with tls', wrong, 0),
          atMost(
            'growth of the heap in the second half',
            least(heaps.slice(half)) - least(heaps.slice(1, half)),
            5,
            ' MiB',
          ),
          atMost('sockets left', await leftOver(sockets), 0),
        ];
      });
    }),
};

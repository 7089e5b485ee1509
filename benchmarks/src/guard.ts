import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type LookupFunction } from 'node:net';
import { cpus } from 'node:os';
import { createOutbound, guardedDispatcher } from '@posthorn/outbound';
import { Agent, type Dispatcher } from 'undici';
import { load, median } from './figures.js';

/*
 * Measures the cost of the address guard: requests over undici's Agent, bare and guarded in turn, to a receiver in
 * another process, over kept connections and with a new connection for each. Then requests to 10,000 hosts: how many
 * sockets stay open.
 */

const connections = 64;
const body = JSON.stringify({ text: 'x'.repeat(1_000) });

/** Resolves every name to this machine: the guard checks the answer, as in production. */
const lookup: LookupFunction = (_hostname, _options, callback) =>
  setImmediate(callback, null, [{ address: '127.0.0.1', family: 4 }]);
const policy = { allowHttp: true, allowCidrs: ['127.0.0.1'], lookup };

async function rate(dispatcher: Dispatcher, origin: string, count: number, keep: boolean): Promise<number> {
  let left = count;
  const begin = performance.now();
  const send = async (): Promise<void> => {
    while (left-- > 0) {
      const options = { origin, path: '/hook', method: 'POST' as const, body, reset: !keep };
      const answer = await dispatcher.request(options);
      await answer.body.dump();
    }
  };
  await Promise.all(Array.from({ length: connections }, send));
  return count / ((performance.now() - begin) / 1_000);
}

/**
 * The number of this machine's connections to `port`, from Linux's own list: undici's idle ones are no active
 * resources.
 */
const socketsTo = (port: number): number => {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')} 01 `;
  return readFileSync('/proc/self/net/tcp', 'utf8')
    .split('\n')
    .filter((line) => line.includes(remote)).length;
};

/** `npm run bench -- guard [requests] [rounds]`. */
export async function benchGuard([countText = '20000', roundsText = '7']: readonly string[]): Promise<void> {
  const [count, rounds] = [Number(countText), Number(roundsText)];
  const receiver = fork(new URL('./receiver.ts', import.meta.url));
  const [port] = (await once(receiver, 'message')) as [number];
  const origin = `http://receiver.example:${port}`;
  console.log(
    `${count} requests of 1 KB, ${rounds} rounds, ${connections} connections; ${cpus().length} cores, load ${load()}`,
  );

  const bare = new Agent({ connections, connect: { lookup } });
  const guarded = guardedDispatcher({ policy, connections });
  for (const [what, keep, requests] of [
    ['kept connections', true, count],
    ['a new connection for each', false, Math.round(count / 4)],
  ] as const) {
    const ratios: number[] = [];
    const figures: Record<'bare' | 'guarded', number[]> = { bare: [], guarded: [] };
    for (let round = 0; round <= rounds; round++) {
      const order = round % 2 ? (['bare', 'guarded'] as const) : (['guarded', 'bare'] as const);
      const now = { bare: 0, guarded: 0 };
      for (const which of order)
        now[which] = await rate(which === 'bare' ? bare : guarded, origin, requests, keep);
      // The first round is a warm-up.
      if (round === 0) continue;
      ratios.push(now.guarded / now.bare);
      for (const which of order) figures[which].push(now[which]);
    }
    const sorted = [...ratios].sort((one, other) => one - other).map((ratio) => ratio.toFixed(2));
    console.log(
      `${what}: bare ${Math.round(median(figures.bare))}/s, guarded ${Math.round(median(figures.guarded))}/s, ratio ${median(ratios).toFixed(3)} (${sorted.join(' ')})`,
    );
  }
  await Promise.all([bare.destroy(), guarded.destroy()]);

  const outbound = createOutbound({ policy, keepAliveMs: 60_000 });
  const hosts = Array.from({ length: 10_000 }, (_, i) => `http://host-${i}.example:${port}/hook`);
  for (let at = 0; at < hosts.length; at += 100) {
    await Promise.all(hosts.slice(at, at + 100).map((url) => outbound.request({ url, body })));
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  const open = await new Promise<number>((resolve) => {
    const counting = connect(port, '127.0.0.1', () => {
      resolve(socketsTo(port) - 1);
      counting.destroy();
    });
  });
  console.log(`10,000 hosts: ${open} sockets stay open (documented: 1,000)`);
  await outbound.close();
  receiver.kill();
}

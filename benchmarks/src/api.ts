import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { Pool } from 'undici';

/*
 * What the management API costs beyond a bare handler of node:http that does the same call of the storage: requests to
 * both in turn, over ten connections. Then 10,000 webhooks of a tenant, a page at a time: time and heap by page.
 */

interface Server {
  readonly ports: readonly [bare: number, api: number];
  readonly key: string;
  readonly webhookId: string;
}
interface Used {
  readonly cpuUs: number;
  readonly heapBytes: number;
}

const connections = 10;
const root = '/v1/organizations/webhooks';
const body = JSON.stringify({
  webhook_name: 'Orders',
  event_types: ['order.*', 'user.created'],
  channels: [{ channel: 'webhook', configs: { url: 'https://example.com/hooks' } }],
});

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)]!;

async function used(child: ChildProcess): Promise<Used> {
  child.send('?');
  return ((await once(child, 'message')) as [Used])[0];
}

/** `npm run bench -- api [requests] [rounds]`; `POSTGRES_URL` says where to make the schema for it. */
export async function benchApi([countText = '4000', roundsText = '7']: readonly string[]): Promise<void> {
  const [count, rounds] = [Number(countText), Number(roundsText)];
  console.log(
    `${count} requests, ${rounds} rounds, ${connections} connections; ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}`,
  );
  const url = process.env.POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres';
  const table: Record<string, Record<string, string>> = {};
  for (const kind of ['memory', 'postgres']) {
    const execArgv = ['--import', 'tsx', '--expose-gc'];
    const child = fork(new URL('./api-server.ts', import.meta.url), [kind, url], { execArgv });
    const [server] = (await once(child, 'message')) as [Server];
    const calls = {
      list: ['POST', `${root}/list?limit=20`, '{}'],
      get: ['GET', `${root}/${server.webhookId}`, undefined],
      create: ['POST', root, body],
    } as const;
    for (const [name, call] of Object.entries(calls)) {
      const ratios: { time: number[]; cpu: number[]; rate: number[] } = { time: [], cpu: [], rate: [] };
      for (let round = 0; round <= rounds; round++) {
        const bare = await measured(child, server, 0, call, count);
        const api = await measured(child, server, 1, call, count);
        // The first warms up.
        if (round === 0) continue;
        ratios.time.push(api.ms / bare.ms);
        ratios.cpu.push(api.cpuUs / bare.cpuUs);
        ratios.rate.push(count / (api.ms / 1_000));
      }
      table[`${name}, ${kind}`] = {
        'time, of bare': median(ratios.time).toFixed(2),
        'server CPU, of bare': median(ratios.cpu).toFixed(2),
        'API calls a second': median(ratios.rate).toFixed(0),
      };
    }
    await pages(child, server, kind);
    child.kill();
  }
  console.table(table);
}

async function measured(
  child: ChildProcess,
  { ports, key }: Server,
  which: 0 | 1,
  [method, path, body]: readonly [string, string, string | undefined],
  count: number,
): Promise<{ ms: number; cpuUs: number }> {
  const pool = new Pool(`http://127.0.0.1:${ports[which]}`, { connections });
  const headers = { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) };
  let left = count;
  const before = await used(child);
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (left-- > 0) {
        const answer = await pool.request({ method: method as 'GET', path, headers, body: body ?? null });
        await answer.body.dump();
        if (answer.statusCode > 201) throw new Error(`answered ${answer.statusCode}`);
      }
    }),
  );
  const ms = performance.now() - startedAt;
  const { cpuUs } = await used(child);
  await pool.close();
  return { ms, cpuUs: cpuUs - before.cpuUs };
}

async function pages(child: ChildProcess, { ports, key }: Server, kind: string): Promise<void> {
  const pool = new Pool(`http://127.0.0.1:${ports[1]}`, { connections: 1 });
  const times: number[] = [];
  const heaps: number[] = [];
  let cursor: string | null = null;
  do {
    const startedAt = performance.now();
    const answer = await pool.request({
      method: 'POST',
      path: `${root}/list?limit=100${cursor === null ? '' : `&cursor=${cursor}`}`,
      headers: { authorization: `Bearer ${key}` },
    });
    const page = (await answer.body.json()) as { pagination: { next_cursor: string | null } };
    times.push(performance.now() - startedAt);
    if (times.length % 20 === 0) heaps.push((await used(child)).heapBytes / 2 ** 20);
    cursor = page.pagination.next_cursor;
  } while (cursor !== null && times.length < 100);
  const tenth = Math.floor(times.length / 10);
  const [early, late] = [median(times.slice(0, tenth * 3)), median(times.slice(-tenth * 3))];
  console.log(
    `${kind}: ${times.length} pages of 100, ${early.toFixed(1)} ms each at first and ${late.toFixed(1)} ms at last; heap ${heaps.map((mb) => mb.toFixed(0)).join(', ')} MiB`,
  );
  await pool.close();
}

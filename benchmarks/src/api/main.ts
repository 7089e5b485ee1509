import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { type Dispatcher, Pool } from 'undici';
import { startPostgres } from '../../../scripts/postgres.mjs';
import { load, median } from '../figures.js';
import { type Framework, frameworks } from './servers.js';

/*
 * Measures the cost of the management API against hand-written handlers in the same framework that make the same call
 * of the storage, or of the engine. All run in one process and are asked in turn; CPU time is that of the process. Then
 * reads 10,000 webhooks page by page.
 */

/** The handlers: a hand-written call of the storage, one of the engine, which validates and masks, and the API. */
const sides = ['storage', 'engine', 'api'] as const;
type Side = (typeof sides)[number];

interface Place {
  readonly ports: Readonly<Record<Side, number>>;
  readonly key: string;
  readonly webhookId: string;
}

const connections = 10;
const few = 1_000;
const many = 10_000;
const path = '/v1/organizations/webhooks';
const created = {
  webhook_name: 'Orders',
  event_types: ['order.*', 'user.created'],
  channels: [{ channel: 'webhook', configs: { url: 'https://example.com/hooks' } }],
};

/** `npm run bench -- api [requests a round] [rounds]`. */
export async function benchApi([countText = '4000', roundsText = '7']: readonly string[]): Promise<void> {
  const [count, rounds] = [Number(countText), Number(roundsText)];
  console.log(
    `${count} requests a round, ${rounds} rounds, ${connections} connections, ${few} webhooks; ${cpus().length} cores, load ${load()}`,
  );
  for (const framework of Object.keys(frameworks) as Framework[]) {
    await withServers(framework, '', few, (servers) =>
      servers.compare(`${framework}, memory`, count, rounds),
    );
  }
  await withServers('node:http', '', many, (servers) => servers.turnPages('memory'));
  const postgres = await startPostgres({ durable: true });
  try {
    await withServers('node:http', postgres.url, few, (servers) =>
      servers.compare('node:http, Postgres', count, rounds),
    );
    await withServers('node:http', postgres.url, many, (servers) => servers.turnPages('Postgres'));
  } finally {
    await postgres.stop();
  }
  console.log(`load at the end ${load()}`);
}

async function withServers(
  framework: Framework,
  postgres: string,
  webhooks: number,
  use: (servers: Servers) => Promise<void>,
): Promise<void> {
  const args = [framework, postgres, String(webhooks)];
  const child = fork(new URL('./process.ts', import.meta.url), args, {
    execArgv: ['--import', 'tsx', '--expose-gc'],
  });
  try {
    await use(new Servers(child, (await heard(child)) as Place));
  } finally {
    child.kill();
  }
}

/** Resolves to the next message of `child`. Rejects if the child exits first. */
async function heard(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const end = once(child, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`the servers ended with ${code}`);
  });
  try {
    return await Promise.race([once(child, 'message').then(([message]) => message), end]);
  } finally {
    end.catch(() => {});
    ended.abort();
  }
}

class Servers {
  readonly #child: ChildProcess;
  readonly #place: Place;

  constructor(child: ChildProcess, place: Place) {
    this.#child = child;
    this.#place = place;
  }

  /** Measures list, get and create: the API's time and CPU time relative to the hand-written handlers. */
  async compare(title: string, count: number, rounds: number): Promise<void> {
    const calls: Record<string, Dispatcher.RequestOptions> = {
      list: { method: 'POST', path: `${path}/list`, body: '{}' },
      get: { method: 'GET', path: `${path}/${this.#place.webhookId}` },
      create: { method: 'POST', path, body: JSON.stringify(created) },
    };
    const table: Record<string, Record<string, string>> = {};
    for (const [name, call] of Object.entries(calls)) {
      const figures: Record<Side, Figures>[] = [];
      // The first round is a warm-up.
      for (let round = 0; round <= rounds; round++) {
        const now = {} as Record<Side, Figures>;
        for (const side of sides) now[side] = await this.#measure(side, call, count);
        if (round > 0) figures.push(now);
      }
      const ratio = (figure: keyof Figures, to: Side) =>
        median(figures.map(({ api, [to]: other }) => api[figure] / other[figure])).toFixed(2);
      const micros = (side: Side) => median(figures.map((now) => now[side].cpuMicros)).toFixed(0);
      table[name] = {
        'time, of storage': ratio('ms', 'storage'),
        'CPU, of storage': ratio('cpuMicros', 'storage'),
        'CPU, of engine': ratio('cpuMicros', 'engine'),
        ...Object.fromEntries(sides.map((side) => [`${side}, µs`, micros(side)])),
      };
    }
    console.log(title);
    console.table(table);
  }

  /** Reads all webhooks by cursor, 100 per page, three times: time and heap from the first pages to the last. */
  async turnPages(title: string): Promise<void> {
    const pool = this.#pool('api', 1);
    const pages = many / 100;
    const times = Array.from({ length: pages }, (): number[] => []);
    const heaps: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      let cursor: string | null = null;
      for (let page = 0; page < pages; page++) {
        const query: string = cursor === null ? '' : `&cursor=${cursor}`;
        const begin = performance.now();
        const { body } = await pool.request(
          this.#asked({ method: 'POST', path: `${path}/list?limit=100${query}`, body: '{}' }),
        );
        const answer = (await body.json()) as { pagination: { next_cursor: string | null } };
        // The first pass is a warm-up.
        if (turn > 0) times[page]!.push(performance.now() - begin);
        cursor = answer.pagination.next_cursor;
        if (turn > 0 && page % 25 === 0) heaps.push((await this.#used('heapBytes')) / 2 ** 20);
      }
      if (cursor !== null) throw new Error('there are more pages than webhooks');
    }
    await pool.close();
    const tenth = (from: number) => median(times.slice(from, from + pages / 10).flat()).toFixed(2);
    const tenths = Array.from({ length: 10 }, (_, at) => tenth((at * pages) / 10));
    console.log(`${title}: ${pages} pages of 100; ms a page, by tenths: ${tenths.join(' ')}`);
    console.log(`  heap after collection, MiB: ${heaps.map((heap) => heap.toFixed(1)).join(' ')}`);
  }

  async #measure(side: Side, call: Dispatcher.RequestOptions, count: number): Promise<Figures> {
    const pool = this.#pool(side, connections);
    let left = count;
    const before = await this.#used('cpuMicros');
    const begin = performance.now();
    const ask = async (): Promise<void> => {
      while (left-- > 0) {
        const { statusCode, body } = await pool.request(this.#asked(call));
        await body.dump();
        if (statusCode > 201) throw new Error(`${side} answered ${statusCode}`);
      }
    };
    await Promise.all(Array.from({ length: connections }, ask));
    const ms = performance.now() - begin;
    const cpuMicros = ((await this.#used('cpuMicros')) - before) / count;
    await pool.close();
    return { ms, cpuMicros };
  }

  #pool(side: Side, connections: number): Pool {
    return new Pool(`http://127.0.0.1:${this.#place.ports[side]}`, { connections });
  }

  #asked(call: Dispatcher.RequestOptions): Dispatcher.RequestOptions {
    const type = call.body ? { 'content-type': 'application/json' } : {};
    return { ...call, headers: { authorization: `Bearer ${this.#place.key}`, ...type } };
  }

  #used(what: 'cpuMicros' | 'heapBytes'): Promise<number> {
    const answer = heard(this.#child);
    this.#child.send(what);
    return answer as Promise<number>;
  }
}

interface Figures {
  readonly ms: number;
  readonly cpuMicros: number;
}

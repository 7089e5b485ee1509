import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type PostgresServer, startPostgres } from '../../../scripts/postgres.mjs';
import { load, median } from '../figures.js';
import { type Place, shareWarmUp } from './competitor.js';
import { fanOut } from './fan-out.js';
import type { CompetitorName, Figures } from './measure.js';
import { neighbours } from './neighbours.js';
import { type Variant, variants } from './posthorn.js';

/*
 * Compares the engine on Postgres with other queues, and with a hand-written loop that is the upper limit on this
 * machine. Each runs in a process of its own, in turn. Compare ratios within one round.
 */

interface Run {
  readonly perSecond: number;
  readonly nodeMicros: number;
  readonly postgresMicros: number;
  readonly walBytes: number;
  readonly p50: number;
  readonly p99: number;
}

const all: readonly CompetitorName[] = ['loop', 'posthorn', 'bullmq', 'pgBoss10', 'pgBoss12', 'graphile'];
const quantile = (values: readonly number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;

export async function benchPostgres(args: readonly string[]): Promise<void> {
  const option = (name: string, fallback: number): number => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? fallback : Number(args[at + 1]);
  };
  const rounds = option('rounds', 3);
  const count = option('count', 20_000);
  const parts = args.filter((arg, i) => !arg.startsWith('--') && !args[i - 1]?.startsWith('--'));
  const wants = (part: string): boolean => parts.length === 0 || parts.includes(part);
  console.log(
    `${count} events of 1 KB, 64 callers, 100 in flight, ${rounds} rounds; ${cpus().length} cores, load ${load()}`,
  );

  const server = await startPostgres({ durable: true });
  const redis = await startRedis();
  const receiver = fork(new URL('./receiver.ts', import.meta.url));
  const [{ port }] = (await once(receiver, 'message')) as [{ port: number }];
  const place = { postgres: server.url, redisPort: redis?.port ?? 0, origin: `http://127.0.0.1:${port}` };
  const bench = new Bench(server, receiver, place);
  const only = args[args.indexOf('--only') + 1]?.split(',') ?? [];
  const names = all.filter(
    (name) => (redis || name !== 'bullmq') && (!args.includes('--only') || only.includes(name)),
  );
  try {
    for (const what of ['endToEnd', 'enqueue', 'drain'] as const) {
      if (wants(what)) await compare(bench, what, names, count, rounds);
    }
    if (wants('afterNight')) await compare(bench, 'afterNight', ['loop', 'posthorn'], count, rounds);
    if (wants('shapes')) await compareShapes(bench, count, rounds);
    if (wants('allocated')) {
      for (const name of ['loop', 'posthorn'] as const) {
        const bytes = await bench.allocated(name, count);
        console.log(`${name}: ${(bytes / 1024).toFixed(1)} KB allocated for each event, end to end`);
      }
    }
    if (wants('profile')) await bench.profiles(['loop', 'posthorn'], count);
    if (wants('latency')) await compareLatency(bench, 'latency', names, rounds);
    if (wants('neighbour')) {
      for (const share of [0, 0.05, 0.2])
        await compareLatency(bench, `slow ${share}`, ['loop', 'posthorn'], 1);
    }
    if (wants('fanOut')) await fanOut(place);
    if (wants('isolation')) await neighbours(place);
  } finally {
    redis?.stop();
    await server.stop();
  }
  if (wants('disk')) {
    // A commit takes 2 ms, as on a disk that really flushes.
    const slow = await startPostgres({
      durable: true,
      settings: { commit_delay: '2000', commit_siblings: '0' },
    });
    const slowBench = new Bench(slow, receiver, { ...place, postgres: slow.url });
    try {
      console.log('\nWith 2 ms a commit');
      const competitors = ['loop', 'posthorn'] as const;
      await compare(slowBench, 'enqueue', competitors, count, rounds);
      await compareLatency(slowBench, 'latency', competitors, rounds);
    } finally {
      await slow.stop();
    }
  }
  receiver.disconnect();
  console.log(`load at the end ${load()}`);
}

async function compare(
  bench: Bench,
  what: string,
  names: readonly CompetitorName[],
  count: number,
  rounds: number,
): Promise<void> {
  const runs = new Map<CompetitorName, Run[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Much slower engines get fewer events: the result is a rate.
    for (const name of names) {
      const share = name === 'loop' || name === 'posthorn' ? count : Math.ceil(count / 4);
      runs.get(name)!.push(await bench.run(name, what, share));
    }
  }
  console.log(`\n${what}`);
  const loops = runs.get('loop')!;
  const total = (run: Run): number => run.nodeMicros + run.postgresMicros;
  console.table(
    Object.fromEntries(
      [...runs].map(([name, own]) => [
        name,
        {
          ...speedOf(own, 'of the loop', loops),
          'CPU to the loop': median(own.map((run, i) => total(run) / total(loops[i]!))).toFixed(2),
          'WAL bytes': Math.round(median(own.map(({ walBytes }) => walBytes))),
        },
      ]),
    ),
  );
}

/** The speed of runs, relative to the reference runs of the same rounds. */
const speedOf = (own: readonly Run[], ratio: string, reference: readonly Run[]) => ({
  'per second': Math.round(median(own.map(({ perSecond }) => perSecond))),
  [ratio]: median(own.map((run, i) => run.perSecond / reference[i]!.perSecond)).toFixed(2),
  'Node µs': median(own.map(({ nodeMicros }) => nodeMicros)).toFixed(1),
  'Postgres µs': median(own.map(({ postgresMicros }) => postgresMicros)).toFixed(1),
});

/** Measures end to end with other kinds of work than plain events of 1 KB to one webhook, and in two processes. */
async function compareShapes(bench: Bench, count: number, rounds: number): Promise<void> {
  const shapes = variants.filter((variant) => variant !== 'second');
  const runs = new Map<string, Run[]>();
  const add = (name: string, run: Run) => runs.set(name, [...(runs.get(name) ?? []), run]);
  for (let round = 0; round < rounds; round++) {
    add('loop', await bench.run('loop', 'endToEnd', count));
    for (const variant of shapes) add(variant, await bench.run('posthorn', 'endToEnd', count, variant));
    add('loop, large', await bench.run('loop', 'endToEnd', count, 'large'));
    add('two processes', await bench.runTwo(count));
  }
  const plain = runs.get('plain')!;
  console.log('\nend to end, by kind of work');
  console.table(Object.fromEntries([...runs].map(([name, own]) => [name, speedOf(own, 'of plain', plain)])));
}

async function compareLatency(
  bench: Bench,
  what: string,
  names: readonly CompetitorName[],
  rounds: number,
): Promise<void> {
  const runs = new Map<CompetitorName, Run[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) runs.get(name)!.push(await bench.run(name, what, 2_000));
  }
  console.log(`\n${what}: from publication to receipt at 200 a second, in ms`);
  const loops = runs.get('loop')!;
  console.table(
    Object.fromEntries(
      [...runs].map(([name, own]) => [
        name,
        {
          p50: median(own.map(({ p50 }) => p50)).toFixed(2),
          p99: median(own.map(({ p99 }) => p99)).toFixed(2),
          'p50 to the loop': median(own.map(({ p50 }, i) => p50 / loops[i]!.p50)).toFixed(2),
          'p99 to the loop': median(own.map(({ p99 }, i) => p99 / loops[i]!.p99)).toFixed(2),
          'WAL bytes': Math.round(median(own.map(({ walBytes }) => walBytes))),
        },
      ]),
    ),
  );
}

/** Runs one competitor with one task, and reads what it cost the server. */
class Bench {
  constructor(
    readonly server: PostgresServer,
    readonly receiver: ChildProcess,
    readonly place: Place,
  ) {}

  async run(name: CompetitorName, what: string, count: number, variant: Variant = 'plain'): Promise<Run> {
    const admin = new pg.Client({ connectionString: this.server.url });
    await admin.connect();
    const child = this.#fork(name, what, count, variant);
    let cpu = 0;
    let lsn = '';
    try {
      for (;;) {
        const message = await messageOf<{ begin?: true; warm?: true; figures?: Figures }>(child);
        if (message.warm) {
          await this.#took();
          child.send('go');
        } else if (message.begin) {
          cpu = cpuOf(this.server.pid!);
          lsn = (await admin.query('select pg_current_wal_lsn() as lsn')).rows[0].lsn;
          child.send('go');
        } else if (message.figures) {
          const { perSecond, cpuMicros, count: done } = message.figures;
          const postgresMicros = (cpuOf(this.server.pid!) - cpu) / done;
          const text = 'select pg_wal_lsn_diff(pg_current_wal_lsn(), $1)::float8 as bytes';
          const { rows } = await admin.query(text, [lsn]);
          const took = await this.#took();
          return {
            perSecond,
            nodeMicros: cpuMicros,
            postgresMicros,
            walBytes: rows[0].bytes / done,
            p50: quantile(took, 0.5),
            p99: quantile(took, 0.99),
          };
        }
      }
    } finally {
      child.kill('SIGKILL');
      await admin.end();
    }
  }

  /** Two processes publish half of the events each, and deliver what they claim. The first one creates the tables. */
  async runTwo(count: number): Promise<Run> {
    const children: ChildProcess[] = [];
    try {
      for (const variant of ['plain', 'second'] as const) {
        const child = this.#fork('posthorn', 'share', count / 2, variant);
        children.push(child);
        await messageOf(child);
      }
      const pids = children.map(({ pid }) => pid!);
      await this.#runShares(children, shareWarmUp * 2);
      const [node, postgres] = [sumOf(pids.map(cpuOfProcess)), cpuOf(this.server.pid!)];
      const begin = performance.now();
      const took = await this.#runShares(children, count);
      return {
        perSecond: count / ((performance.now() - begin) / 1000),
        nodeMicros: (sumOf(pids.map(cpuOfProcess)) - node) / count,
        postgresMicros: (cpuOf(this.server.pid!) - postgres) / count,
        walBytes: Number.NaN,
        p50: quantile(took, 0.5),
        p99: quantile(took, 0.99),
      };
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  }

  /** Lets all processes publish, and waits until `count` events have arrived. */
  async #runShares(children: readonly ChildProcess[], count: number): Promise<number[]> {
    await this.#took();
    for (const child of children) child.send('go');
    const took: number[] = [];
    while (took.length < count) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      took.push(...(await this.#took()));
    }
    return took;
  }

  async allocated(name: CompetitorName, count: number): Promise<number> {
    const child = this.#fork(name, 'allocated', count, 'plain');
    const { bytes } = await messageOf<{ bytes: number }>(child);
    child.kill('SIGKILL');
    return bytes;
  }

  /** Prints how Node spends its CPU time per event, end to end, for each engine. */
  async profiles(names: readonly CompetitorName[], count: number): Promise<void> {
    const table: Record<string, Record<string, string>> = {};
    for (const name of names) {
      const child = this.#fork(name, 'profile', count, 'plain');
      const { parts, cpuMicros } = await messageOf<{ parts: Record<string, number>; cpuMicros: number }>(
        child,
      );
      child.kill('SIGKILL');
      for (const [part, share] of Object.entries(parts)) {
        table[part] = { ...table[part], [`${name}, µs`]: (share * cpuMicros).toFixed(1) };
      }
    }
    console.log('\nNode, by part, end to end');
    console.table(table);
  }

  #fork(name: CompetitorName, what: string, count: number, variant: Variant): ChildProcess {
    const args = [name, what, String(count), JSON.stringify(this.place), variant];
    return fork(new URL('./measure.ts', import.meta.url), args, { execArgv: ['--import', 'tsx'] });
  }

  async #took(): Promise<number[]> {
    this.receiver.send('report');
    const [{ took }] = (await once(this.receiver, 'message')) as [{ took: number[] }];
    return took;
  }
}

async function messageOf<Message>(child: ChildProcess): Promise<Message> {
  const ended = once(child, 'exit').then(() =>
    Promise.reject(new Error('the process ended without figures')),
  );
  const [message] = (await Promise.race([once(child, 'message'), ended])) as [Message];
  return message;
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** The CPU time of one process in microseconds. */
function cpuOfProcess(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** The CPU time of the server in microseconds: of its processes, and of those that have ended. */
function cpuOf(postmaster: number): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const isOwn = Number(fields[1]) === postmaster || Number(pid) === postmaster;
      if (isOwn) ticks += Number(fields[11]) + Number(fields[12]);
      if (Number(pid) === postmaster) ticks += Number(fields[13]) + Number(fields[14]);
    } catch {
      // The process has ended meanwhile.
    }
  }
  return ticks * 10_000;
}

/** Starts a Redis that flushes to disk every second; undefined if it is not installed. */
async function startRedis(): Promise<{ port: number; stop(): void } | undefined> {
  if (spawnSync('redis-server', ['--version']).status !== 0) {
    console.log('redis-server is not installed: BullMQ is left out');
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-redis-'));
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  const settings = [
    '--save',
    '',
    '--appendonly',
    'yes',
    '--appendfsync',
    'everysec',
    '--maxmemory-policy',
    'noeviction',
  ];
  const child = spawn('redis-server', [...args, ...settings], { stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const chunk of child.stdout) if (/Ready to accept/.test(String(chunk))) break;
  return {
    port,
    stop() {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

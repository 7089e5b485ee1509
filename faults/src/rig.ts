import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { PostgresServer } from '../../scripts/postgres.mjs';
import { type Engine, type EngineSettings, engine } from './engine.js';

/** One request that the receiver recorded. */
export interface Arrival {
  readonly id: string;
  readonly path: string;
  readonly at: number;
  readonly sha: string;
  /** Whether it was accepted. */
  readonly ok: boolean;
  /** Whether it was refused for its size. */
  readonly isTooLarge: boolean;
  /** The ids of the events of a digest. */
  readonly events?: readonly string[];
}

export interface Ledger {
  /** How many events were acknowledged but never accepted by the receiver. */
  readonly lost: number;
  /** How many were accepted more than once. */
  readonly duplicates: number;
  /** How many of the duplicates had different bytes; it must be none. */
  readonly altered: number;
  readonly arrivals: readonly Arrival[];
  readonly acknowledged: number;
}

/** One figure of a scenario, and its limit. */
export interface Finding {
  readonly what: string;
  readonly figure: string;
  readonly limit: string;
  readonly ok: boolean;
}

export const atMost = (what: string, figure: number, limit: number, unit = ''): Finding => ({
  what,
  figure: `${Math.round(figure * 10) / 10}${unit}`,
  limit: `≤ ${limit}${unit}`,
  ok: figure <= limit,
});
export const atLeast = (what: string, figure: number, limit: number, unit = ''): Finding => ({
  what,
  figure: `${Math.round(figure * 10) / 10}${unit}`,
  limit: `≥ ${limit}${unit}`,
  ok: figure >= limit,
});
export const clean = ({ lost, altered }: Ledger): Finding[] => [
  atMost('lost', lost, 0),
  atMost('altered', altered, 0),
];

export type Child = ChildProcess & { readonly exited: Promise<number | null> };

/** The environment of one scenario: a database, a receiver, and its processes. All of it is removed at the end. */
export class Rig {
  readonly #children = new Set<Child>();
  readonly #engines: Engine[] = [];
  #published = 0;

  private constructor(
    readonly server: PostgresServer,
    readonly url: string,
    readonly pool: pg.Pool,
    readonly folder: string,
    readonly receiver: Child,
    readonly receiverPort: number,
  ) {}

  static async open(server: PostgresServer): Promise<Rig> {
    const name = `rig_${Date.now()}_${Math.floor(Math.random() * 1e6)}`;
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    await admin.query(`create database ${name}`);
    await admin.end();
    const url = Object.assign(new URL(server.url), { pathname: `/${name}` }).href;
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-faults-'));
    const pool = new pg.Pool({ connectionString: url, max: 3 });
    pool.on('error', () => {});
    const receiver = child('receiver', [join(folder, 'received')]);
    const [{ port }] = (await once(receiver, 'message')) as [{ port: number }];
    return new Rig(server, url, pool, folder, receiver, port);
  }

  /** Creates the schema, an engine in this process, and a webhook with its own path for each type. */
  async engine(types: readonly string[] = [], settings: Partial<EngineSettings> = {}): Promise<Engine> {
    const { postgresStorage } = await import('@posthorn/storage-postgres');
    await postgresStorage(this.pool).migrate();
    const made = await engine({ url: this.url, ...settings });
    made.dispatcher.on('error', () => {});
    this.#engines.push(made);
    for (const type of types) {
      const url = `http://127.0.0.1:${this.receiverPort}/${type}`;
      const channels = [{ channel: 'webhook', configs: { url } }];
      await made.dispatcher.webhooks.create({ name: type, eventTypes: [type], channels });
    }
    return made;
  }

  async worker(settings: Partial<EngineSettings> = {}): Promise<Child> {
    const started = this.#start('worker', [JSON.stringify({ url: this.url, ...settings })]);
    await Promise.race([once(started, 'message'), started.exited]);
    return started;
  }

  publisher(plan: object, settings: Partial<EngineSettings> = {}): Child {
    const file = join(this.folder, `acknowledged-${++this.#published}`);
    return this.#start('publisher', [
      JSON.stringify({ url: this.url, ...settings }),
      file,
      JSON.stringify(plan),
    ]);
  }

  #start(name: string, args: string[]): Child {
    const started = child(name, args);
    this.#children.add(started);
    void started.exited.then(() => this.#children.delete(started));
    return started;
  }

  async behave(behaviour: object): Promise<void> {
    this.receiver.send(behaviour);
    await once(this.receiver, 'message');
  }

  arrivals(): Arrival[] {
    const file = join(this.folder, 'received');
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  acknowledged(): string[] {
    return Array.from({ length: this.#published }, (_, i) => join(this.folder, `acknowledged-${i + 1}`))
      .filter(existsSync)
      .flatMap((file) => readFileSync(file, 'utf8').split('\n').filter(Boolean));
  }

  ledger(acknowledged: readonly string[] = this.acknowledged()): Ledger {
    const arrivals = this.arrivals();
    const accepted = arrivals.filter(({ ok }) => ok);
    const byId = grouped(accepted);
    const groups = [...byId.values()];
    return {
      lost: acknowledged.filter((id) => !byId.has(id)).length,
      duplicates: accepted.length - byId.size,
      altered: groups.filter((group) => new Set(group.map(({ sha }) => sha)).size > 1).length,
      arrivals,
      acknowledged: acknowledged.length,
    };
  }

  /** Waits until every delivery is finished. Resolves to false if that takes longer than `ms`. */
  async settled(ms: number): Promise<boolean> {
    const deadline = Date.now() + ms;
    while (Date.now() < deadline) {
      const left = await this.pool
        .query("select count(*)::int as left from posthorn.queue where tenant_id <> ''")
        .then(({ rows }) => rows[0].left as number)
        .catch(() => -1);
      if (left === 0) return true;
      await pause(50);
    }
    return false;
  }

  /** Terminates every session of the database except its own. */
  async dropSessions(): Promise<void> {
    await this.pool
      .query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
      .catch(() => {});
  }

  async close(): Promise<void> {
    for (const running of this.#children) running.kill('SIGKILL');
    for (const { close } of this.#engines) await close().catch(() => {});
    await this.pool.end().catch(() => {});
    this.receiver.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function grouped(arrivals: readonly Arrival[]): Map<string, Arrival[]> {
  const groups = new Map<string, Arrival[]>();
  for (const arrival of arrivals) groups.set(arrival.id, [...(groups.get(arrival.id) ?? []), arrival]);
  return groups;
}

/** Starts a file of this folder as a process. */
export function child(name: string, args: string[]): Child {
  const started = fork(new URL(`./${name}.ts`, import.meta.url), args, {
    execArgv: ['--conditions=@posthorn/source', '--import', 'tsx'],
  });
  const exited = new Promise<number | null>((resolve) => started.once('exit', (code) => resolve(code)));
  return Object.assign(started, { exited });
}

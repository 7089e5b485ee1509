import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDispatcher } from '@posthorn/core';
import { recordingChannel, until } from '@posthorn/testing';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

function isInstalled(): boolean {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.error('\n!!! The tests need pgbouncer: install it. Tests that need it are skipped.\n');
    return false;
  }
}

/** A PgBouncer in front of the database, which can be killed and restarted on the same port. */
class Bouncer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'posthorn-pgbouncer-'));
  readonly #ini = join(this.#folder, 'pgbouncer.ini');
  readonly #port: number;
  #child: ChildProcess | undefined;

  constructor(database: URL, port: number, mode: string) {
    this.#port = port;
    const name = database.pathname.slice(1);
    const server = `host=${database.hostname} port=${database.port || 5432} dbname=${name} user=${database.username}`;
    const password = database.password ? ` password=${database.password}` : '';
    writeFileSync(
      this.#ini,
      `[databases]
${name} = ${server}${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = 4
`,
    );
    execFileSync('chmod', ['-R', 'a+rX', this.#folder]);
  }

  async start(): Promise<void> {
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    this.#child = spawn('pgbouncer', ['-q', ...user, this.#ini], { stdio: 'ignore' });
    await until(async () => {
      const client = new pg.Client({ connectionString: this.url('pgbouncer', 'pgbouncer') });
      const isThere = await client.connect().then(
        () => true,
        // It is up once it answers, even with an error of its own.
        (error) => error.code !== 'ECONNREFUSED',
      );
      await client.end().catch(() => {});
      return isThere;
    });
  }

  url(name: string, user: string): string {
    return `postgres://${user}@127.0.0.1:${this.#port}/${name}`;
  }

  async kill(): Promise<void> {
    if (!this.#child || this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

describe.skipIf(!hasPostgres() || !isInstalled())('Behind PgBouncer', () => {
  let database: TestDatabase;
  const bouncers: Bouncer[] = [];
  beforeAll(async () => {
    database = await openDatabase();
    await postgresStorage(database.pool).migrate();
  });
  afterAll(async () => {
    for (const bouncer of bouncers) await bouncer.close();
  });

  test.each(['statement', 'transaction'])(
    'in %s mode no call fails, even though it is killed and restarted in between',
    async (mode) => {
      const target = new URL(database.url);
      const bouncer = new Bouncer(target, await freePort(), mode);
      bouncers.push(bouncer);
      await bouncer.start();
      const url = bouncer.url(target.pathname.slice(1), target.username);
      const pool = database.newPool({ connectionString: url, max: 8 });
      const tenantId = mode;
      const channel = recordingChannel();
      // Deliveries that were leased by a lost answer are sent when their lease ends.
      const posthorn = createDispatcher({
        storage: postgresStorage(pool),
        channels: [channel],
        attemptDeadline: '1s',
        lease: '2s',
      });
      posthorn.on('error', () => {});
      const channels = [{ channel: channel.type, configs: {} }];
      await posthorn.webhooks.create({ tenantId, name: 'w', eventTypes: ['*'], channels });
      posthorn.start();
      const work = (round: number) => [
        ...Array.from({ length: 10 }, (_, n) =>
          posthorn.dispatch('a.b', n, { tenantId, idempotencyKey: `${round} ${n}` }),
        ),
        ...Array.from({ length: 10 }, (_, n) => posthorn.dispatch('c.d', n, { tenantId })),
        posthorn.webhooks.list({ tenantId }),
        posthorn.events.list({ tenantId }),
        posthorn.deliveries.list({ tenantId }),
      ];
      const rounds = 6;
      for (let round = 0; round < rounds; round++) {
        const calls = work(round);
        if (round % 2 === 1) {
          await bouncer.kill();
          calls.push(...work(round + rounds));
          await bouncer.start();
        }
        const answers = await Promise.allSettled(calls);
        expect(answers.filter(({ status }) => status === 'rejected')).toEqual([]);
      }
      await until(() => new Set(channel.deliveries.map(({ message }) => message.event.id)).size === 9 * 20, {
        timeoutMs: 20_000,
      });
      await posthorn.stop();
      await pool.end();
    },
  );
});

import { randomBytes } from 'node:crypto';
import { createIds, type NewEvent } from '@posthorn/core/storage';
import { until } from '@posthorn/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { Database } from '../src/client/database.js';
import { faultOf } from '../src/client/faults.js';
import { queryWithin } from '../src/client/pg-pool.js';
import { postgresStorage } from '../src/index.js';
import { migrate, migrationText } from '../src/schema/migrate.js';
import { migrations } from '../src/schema/migrations.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';
import { silentProxy } from './silent-proxy.js';

const event = (): NewEvent => ({
  id: createIds().event(),
  tenantId: 't',
  type: 'a.b',
  payload: '{}',
  occurredAt: new Date(),
  namespaceId: null,
  subject: null,
  cacheScope: null,
  orderingKey: null,
  matchingPatterns: ['a.b'],
});

const failure = (words: string) => ({ code: 'storage_failed', message: expect.stringContaining(words) });

describe.skipIf(!hasPostgres())('The connections of a pool', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
    await postgresStorage(database.pool).migrate();
  });

  const waiting = async (): Promise<number> => {
    const { rows } = await database.pool.query(`select count(*)::integer as count from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`);
    return rows[0].count;
  };

  /** Holds a lock until the returned function is called. */
  async function locked(text: string): Promise<() => Promise<void>> {
    const client = await database.newPool({ application_name: 'the lock holder' }).connect();
    await client.query(`begin; ${text}`);
    return async () => {
      await client.query('rollback');
      client.release();
    };
  }

  test('end a statement on the server when its caller gives up, and are used again', async () => {
    const unlock = await locked('lock table posthorn.events in access exclusive mode');
    const pool = database.newPool({ max: 2 });
    const storage = postgresStorage(pool, { timeoutMs: 150 });
    const made: unknown[] = [];
    pool.on('connect', (client) => made.push(client));
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.allSettled([
        storage.deliveries.publish([event()]),
        storage.log.events('t', { limit: 1 }),
      ]);
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 'rejected', reason: failure('took longer than timeoutMs') });
      }
      expect(await waiting()).toBe(0);
    }
    await unlock();
    await storage.deliveries.publish([event()]);
    expect(made).toHaveLength(2);
  });

  test('whose statement ends by itself after the cancel request are not used again', async () => {
    const released: boolean[] = [];
    let answer = (_: { rows: unknown[] }): void => {};
    const client = {
      query: () =>
        new Promise<{ rows: unknown[] }>((resolve) => {
          answer = resolve;
        }),
      release: (isBroken = false) => released.push(isBroken),
      processID: 1,
      secretKey: 1,
    };
    // Instrumented to cancel a statement that takes too long.
    class Client {
      constructor() {
        answer({ rows: [] });
      }
    }
    const pool = { connect: async () => client, query: client.query, Client };
    const limits = { timeoutMs: 10, isUnbounded: false };
    const running = queryWithin(pool as never, { text: 'select 1', values: [] }, limits, () => {});
    expect(await running).toEqual({ rows: [] });
    expect(released, 'the cancel request may come late').toEqual([true]);
  });

  test('are waited for no longer than a statement, and a late one is returned to the pool', async () => {
    const pool = database.newPool({ max: 1 });
    const storage = postgresStorage(pool, { timeoutMs: 100 });
    const client = await pool.connect();
    await expect(storage.log.events('t', { limit: 1 })).rejects.toMatchObject(
      failure('no connection of the pool'),
    );
    client.release();
    expect((await storage.log.events('t', { limit: 1 })).nextCursor).toBeNull();
    await until(() => pool.waitingCount === 0 && pool.idleCount === 1);
  });

  test("report that the pool is busy, too, where the pool's own limit comes first", async () => {
    const pool = database.newPool({ max: 1, connectionTimeoutMillis: 1_000 });
    const client = await pool.connect();
    const { log } = postgresStorage(pool);
    await expect(log.events('t', { limit: 1 })).rejects.toMatchObject(failure('no connection of the pool'));
    client.release();
  });

  test('that were returned in a transaction are cleared of it: what is stored afterwards stays', async () => {
    for (const text of ['select 1', 'select no_such_column']) {
      const pool = database.newPool({ max: 1 });
      const client = await pool.connect();
      await client.query('begin');
      await client.query(text).catch(() => {});
      client.release();
      const one = event();
      await postgresStorage(pool).deliveries.publish([one]);
      await pool.end();
      const { items } = await postgresStorage(database.pool).log.events('t', { id: one.id, limit: 1 });
      expect(items).toHaveLength(1);
    }
  });

  test('that were returned in a transaction, to a server that has gone away, are given up in time', async () => {
    const proxy = await silentProxy(database.url);
    const pool = database.newPool({ connectionString: proxy.url, max: 1 });
    const storage = postgresStorage(pool, { timeoutMs: 500 });
    const client = await pool.connect();
    await client.query('begin');
    client.release();
    proxy.isSilent = true;
    await expect(storage.deliveries.publish([event()])).rejects.toMatchObject(
      failure('given back in a transaction'),
    );
    expect(pool.totalCount, 'the dead connection makes room for another').toBe(0);
    proxy.isSilent = false;
    await storage.deliveries.publish([event()]);
  });

  test('that were returned while they wait for a lock leave no waiting session', async () => {
    const unlock = await locked('lock table posthorn.events in access exclusive mode');
    const pool = database.newPool({ max: 1 });
    const storage = postgresStorage(pool, { timeoutMs: 500 });
    const client = await pool.connect();
    await client.query('begin');
    const forgotten = client.query('lock table posthorn.events').catch(() => {});
    client.release();
    await expect(storage.deliveries.publish([event()])).rejects.toMatchObject(
      failure('given back in a transaction'),
    );
    await forgotten;
    expect(await waiting()).toBe(0);
    expect(pool.totalCount).toBe(0);
    await unlock();
    await storage.deliveries.publish([event()]);
  });

  test('of a pool that has been ended are refused with the remedy', async () => {
    const pool = database.newPool();
    const { log } = postgresStorage(pool);
    await pool.end();
    await expect(log.events('t', { limit: 1 })).rejects.toMatchObject(failure('the pool has been ended'));
  });

  test('are retried where the server has none left, until others are returned', async () => {
    const role = `few_${randomBytes(4).toString('hex')}`;
    await database.pool.query(`create role ${role} login connection limit 2;
      grant usage on schema posthorn to ${role};
      grant select, insert, update, delete on all tables in schema posthorn to ${role};
      grant usage on all sequences in schema posthorn to ${role};
      grant execute on all functions in schema posthorn to ${role}`);
    const url = Object.assign(new URL(database.url), { username: role }).href;
    const pool = database.newPool({ connectionString: url, max: 10 });
    const { deliveries } = postgresStorage(pool);
    const ids = await Promise.all(
      Array.from({ length: 100 }, async () => (await deliveries.publish([event()])).published[0]!.eventId),
    );
    expect(new Set(ids).size).toBe(100);

    // Where none is returned, the error has the remedy.
    const others = database.newPool({ connectionString: url, max: 2 });
    await pool.end();
    const held = [await others.connect(), await others.connect()];
    const late = database.newPool({ connectionString: url, max: 2 });
    await expect(postgresStorage(late).deliveries.publish([event()])).rejects.toMatchObject(
      failure('raise max_connections'),
    );
    for (const client of held) client.release();
    await Promise.all([others.end(), late.end()]);
    await database.pool.query(`drop owned by ${role}; drop role ${role}`);
  });

  test('of a user without rights are refused with the right that it needs', async () => {
    const role = `bare_${randomBytes(4).toString('hex')}`;
    await database.pool.query(`create role ${role}`);
    const pool = database.newPool({ options: `-c role=${role}` });
    const { log } = postgresStorage(pool);
    await expect(log.events('t', { limit: 1 })).rejects.toMatchObject(failure('rights'));
    await pool.end();
    await database.pool.query(`drop role ${role}`);
  });

  test('to a database that does not exist are refused with the remedy', async () => {
    const url = Object.assign(new URL(database.url), { pathname: '/posthorn_nowhere' }).href;
    const { log } = postgresStorage(database.newPool({ connectionString: url }));
    await expect(log.events('t', { limit: 1 })).rejects.toMatchObject(failure('does not exist'));
  });

  test('to a read-only database are refused with the remedy', async () => {
    const pool = database.newPool({ options: '-c default_transaction_read_only=on' });
    const { deliveries } = postgresStorage(pool);
    await expect(deliveries.publish([event()])).rejects.toMatchObject(failure('the primary'));
  });

  test('in a transaction that has failed are refused with the remedy', async () => {
    const storage = postgresStorage(database.pool);
    const client = await database.newPool().connect();
    await client.query('begin');
    await client.query('select no_such_column').catch(() => {});
    for (const extra of [{}, { idempotencyKey: 'k', fingerprint: 'f' }]) {
      const late = storage.deliveries.publish([{ ...event(), ...extra }], { tx: client });
      await expect(late).rejects.toMatchObject(failure('has failed; roll back'));
    }
    await client.query('rollback');
    client.release();
  });

  test.each(['SQL_ASCII', 'LATIN1'])('to a database in %s are refused by migrate', async (encoding) => {
    const name = `posthorn_${randomBytes(6).toString('hex')}`;
    await database.pool.query(
      `create database ${name} encoding '${encoding}' lc_collate 'C' lc_ctype 'C' template template0`,
    );
    const url = Object.assign(new URL(database.url), { pathname: `/${name}` }).href;
    const pool = database.newPool({ connectionString: url });
    await expect(postgresStorage(pool).migrate()).rejects.toMatchObject(failure("encoding 'UTF8'"));
    await pool.end();
    await database.pool.query(`drop database ${name}`);
  });

  test.each([
    ['a table', 'stuck', 'lock table stuck.queue in access exclusive mode', 'queue'],
    [
      'the migration lock',
      'right',
      "select pg_advisory_xact_lock(hashtextextended('posthorn right', 0))",
      'the migration lock',
    ],
  ])(
    'that migrate and wait for %s give way, and finally report who holds it',
    async (_, schema, lock, what) => {
      await database.pool.query(migrationText(schema, migrations.slice(0, 2)));
      const unlock = await locked(lock);
      const pool = database.newPool({ max: 1 });
      const db = new Database(pool, { schema, prepare: true, timeoutMs: 30_000, clockOffset: undefined });
      const migrating = migrate(db, schema, 2);
      await expect(migrating).rejects.toMatchObject({
        code: 'storage_failed',
        message: expect.stringMatching(new RegExp(`session \\d+ \\(the lock holder, .*\\) holds .*${what}`)),
      });
      expect(await waiting()).toBe(0);
      await unlock();
      await postgresStorage(pool, { schema }).migrate();
    },
  );
});

describe('The error message', () => {
  // Failures that cannot be provoked here without affecting the whole machine.
  test.each([
    ['53100', 'disk'],
    ['53200', 'memory'],
    ['28P01', 'login'],
    ['57P03', 'unreachable'],
    ['57014', 'cancelled'],
    ['22P05', 'encoding'],
  ])('for %s describes the problem, with the remedy', (code, word) => {
    const { error } = faultOf(Object.assign(new Error('the text of the server'), { code }), 'posthorn');
    expect(error.message).toContain(word);
    expect(error.message).not.toContain(code);
    expect(error.cause).toMatchObject({ code });
  });
});

import { createDispatcher } from '@posthorn/core';
import { createIds, type NewEvent } from '@posthorn/core/storage';
import { recordingChannel, until } from '@posthorn/testing';
import { drizzle } from 'drizzle-orm/node-postgres';
import knex from 'knex';
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely';
import type { PoolClient } from 'pg';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromPrisma,
  fromTypeorm,
  postgresStorage,
  type Transaction,
} from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

/** Runs `work` in a transaction of the library, which rolls back where `work` rejects. */
type Library = (work: (tx: Transaction) => Promise<void>) => Promise<void>;

const newEvent = (): NewEvent => ({
  id: createIds().event(),
  tenantId: 'default',
  type: 'a.b',
  payload: '{}',
  occurredAt: new Date(),
  namespaceId: null,
  subject: null,
  cacheScope: null,
  orderingKey: null,
  matchingPatterns: ['a.b'],
});

const payload = { name: 'Jürgen 📯', note: "it's $1 and ?" };

const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

describe.skipIf(!hasPostgres())('an event dispatched in a transaction of', () => {
  let database: TestDatabase;
  const closers: (() => Promise<unknown>)[] = [];
  const libraries: Record<string, () => Promise<Library>> = {
    pg: async () => async (work) => {
      const client = await database.pool.connect();
      try {
        await client.query('begin');
        await work(client);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    },
    'drizzle-orm': async () => {
      const db = drizzle(database.pool);
      return (work) => db.transaction((tx) => work(fromDrizzle(tx)));
    },
    kysely: async () => {
      const dialect = new PostgresDialect({ pool: database.newPool() });
      const db = new Kysely<unknown>({ dialect, plugins: [new CamelCasePlugin()] });
      return (work) => db.transaction().execute((trx) => work(fromKysely(trx)));
    },
    knex: async () => {
      const db = knex({ client: 'pg', connection: database.url });
      closers.push(() => db.destroy());
      return (work) => db.transaction((trx) => work(fromKnex(trx)));
    },
    'knex with renamed columns': async () => {
      // As in an application that wants no underscores in its objects, and only the rows.
      const renamed = (row: object) =>
        Object.fromEntries(Object.entries(row).map(([key, value]) => [camelCase(key), value]));
      const postProcessResponse = (answer: { rows?: object[] }) => answer.rows?.map(renamed) ?? answer;
      const db = knex({ client: 'pg', connection: database.url, postProcessResponse });
      closers.push(() => db.destroy());
      return (work) => db.transaction((trx) => work(fromKnex(trx)));
    },
    typeorm: async () => {
      const source = await new DataSource({ type: 'postgres', url: database.url }).initialize();
      closers.push(() => source.destroy());
      return (work) => source.transaction((manager) => work(fromTypeorm(manager)));
    },
    // Prisma's generator downloads a program when it is used, so its own client cannot run everywhere that these tests
    // must. The documented behaviour of `$queryRawUnsafe` stands in for it.
    'what Prisma documents': async () => {
      const viaPg = (await libraries.pg!()) as Library;
      return (work) =>
        viaPg((tx) =>
          work(
            fromPrisma({
              $queryRawUnsafe: async (text, ...values) => (await tx.query(text, values)).rows,
            }),
          ),
        );
    },
  };

  beforeAll(async () => {
    database = await openDatabase();
    await postgresStorage(database.pool).migrate();
    await database.pool.query('create table orders (id text primary key)');
  });
  afterAll(async () => {
    for (const close of closers) await close();
  });

  describe.each(Object.keys(libraries))('%s', (name) => {
    test('is delivered after a commit, and does not exist after a rollback', async () => {
      const inTransaction = await libraries[name]!();
      const channel = recordingChannel();
      const dispatcher = createDispatcher({
        storage: postgresStorage(database.pool),
        channels: [channel],
      });
      const tenantId = name;
      await dispatcher.webhooks.create({
        tenantId,
        name,
        eventTypes: ['order.*'],
        channels: [{ channel: channel.type, configs: {} }],
      });
      dispatcher.start();

      let eventId = '';
      await inTransaction(async (tx) => {
        await tx.query('insert into orders (id) values ($1)', [`${name} 1`]);
        const details = { tenantId, tx, idempotencyKey: 'order-1' };
        ({ eventId } = await dispatcher.dispatch('order.created', payload, details));
        const again = await dispatcher.dispatch('order.created', payload, details);
        expect(again.eventId).toBe(eventId);
        expect((await dispatcher.events.list({ tenantId })).items).toEqual([]);
      });
      await until(() => channel.deliveries.length === 1);
      expect(channel.deliveries[0]?.message.payload).toEqual(payload);

      const failure = new Error('the order is refused');
      const refused = inTransaction(async (tx) => {
        await tx.query('insert into orders (id) values ($1)', [`${name} 2`]);
        await dispatcher.dispatch('order.created', payload, { tenantId, tx });
        await dispatcher.dispatchMany([{ type: 'order.paid', payload: 1, tenantId }], { tx });
        throw failure;
      });
      await expect(refused).rejects.toThrow(failure.message);
      await dispatcher.drain();
      await dispatcher.stop();

      expect(channel.deliveries).toHaveLength(1);
      const { items } = await dispatcher.events.list({ tenantId });
      expect(items.map(({ id }) => id)).toEqual([eventId]);
      const { rows } = await database.pool.query('select id from orders where id like $1', [`${name} %`]);
      expect(rows).toEqual([{ id: `${name} 1` }]);
    });

    test('goes to a webhook of the same transaction', async () => {
      const inTransaction = await libraries[name]!();
      const storage = postgresStorage(database.pool);
      const channel = recordingChannel();
      const dispatcher = createDispatcher({ storage, channels: [channel] });
      const ids = createIds();
      const tenantId = `${name} webhooks`;
      const eventTypes = ['order.*'];
      const channels = [{ id: ids.binding(), channel: channel.type, configs: {} }];
      const given = { id: ids.webhook(), tenantId, name, eventTypes, channels, isActive: true, secrets: [] };
      await inTransaction(async (tx) => {
        expect(await storage.webhooks.create(given, { tx })).toMatchObject(given);
        expect(await storage.webhooks.get(tenantId, given.id)).toBeUndefined();
        expect((await dispatcher.dispatch('order.created', 1, { tenantId, tx })).deliveries).toBe(1);
      });
      await dispatcher.drain();
      expect(channel.deliveries).toHaveLength(1);
    });

    test('is refused for its idempotency key, and the transaction continues', async () => {
      const inTransaction = await libraries[name]!();
      const dispatcher = createDispatcher({
        storage: postgresStorage(database.pool),
        channels: [recordingChannel()],
      });
      const tenantId = `${name} keys`;
      const details = { tenantId, idempotencyKey: 'k' };
      await dispatcher.dispatch('a.b', 1, details);
      await inTransaction(async (tx) => {
        await expect(dispatcher.dispatch('a.b', 2, { ...details, tx })).rejects.toMatchObject({
          code: 'idempotency_conflict',
        });
        await dispatcher.dispatch('a.b', 3, { tenantId, tx });
      });
      expect((await dispatcher.events.list({ tenantId })).items).toHaveLength(2);
    });
  });

  test('a client whose session is terminated is refused, and the process continues', async () => {
    const storage = postgresStorage(database.pool);
    const dispatcher = createDispatcher({ storage, channels: [recordingChannel()] });
    const client = await database.newPool().connect();
    await client.query('begin');
    await dispatcher.dispatch('a.b', 1, { tenantId: 'ended', tx: client });
    await dispatcher.dispatch('a.b', 2, { tenantId: 'ended', tx: client });
    expect(client.listenerCount('error')).toBe(1);
    const ended = new Promise((resolve) => client.once('end', resolve));
    const { rows } = await client.query('select pg_backend_pid() as pid');
    // Between two statements there is no call that an error could reject. Without a listener it would end the process.
    await database.pool.query('select pg_terminate_backend($1)', [rows[0].pid]);
    await ended;
    const late = dispatcher.dispatch('a.b', 3, { tenantId: 'ended', tx: client });
    await expect(late).rejects.toMatchObject({ code: 'storage_failed' });
    client.release(true);
    expect((await dispatcher.events.list({ tenantId: 'ended' })).items).toEqual([]);
  });

  test('a pool without another connection is stored at once, even where it is the first of the process', async () => {
    const pool = database.newPool({ max: 1 });
    const storage = postgresStorage(pool, { timeoutMs: 1_000 });
    const dispatcher = createDispatcher({ storage, channels: [recordingChannel()] });
    const client = await pool.connect();
    await client.query('begin');
    const { eventId } = await dispatcher.dispatch('a.b', 1, { tenantId: 'alone', tx: client });
    await client.query('commit');
    client.release();
    expect(await dispatcher.events.get(eventId, { tenantId: 'alone' })).toMatchObject({ payload: '1' });
  });

  test("a process that does nothing else has the time of the storage's clock", async () => {
    let offset = 0;
    const storage = postgresStorage(database.pool, { clockOffset: () => offset });
    const dispatcher = createDispatcher({ storage, channels: [recordingChannel()] });
    const inTransaction = await libraries.pg!();
    let last = '';
    for (const hours of [0, 1, 1]) {
      offset = hours * 3_600_000;
      await inTransaction(async (tx) => {
        ({ eventId: last } = await dispatcher.dispatch('a.b', 1, { tenantId: 'clock', tx }));
      });
    }
    const { occurredAt } = await dispatcher.events.get(last, { tenantId: 'clock' });
    expect(Math.abs(occurredAt.getTime() - Date.now() - offset)).toBeLessThan(60_000);
  });

  test.each(['repeatable read', 'serializable'])(
    'a %s caller, whose key another transaction took meanwhile, is refused with the advice to run again',
    async (level) => {
      const storage = postgresStorage(database.pool);
      const dispatcher = createDispatcher({ storage, channels: [recordingChannel()] });
      const details = { tenantId: `taken ${level}`, idempotencyKey: 'k' };
      const inTransaction = await libraries.pg!();
      let first = '';
      await inTransaction(async (tx) => {
        await tx.query(`set transaction isolation level ${level}`);
        await tx.query('select 1');
        ({ eventId: first } = await dispatcher.dispatch('a.b', 1, details));
        await expect(dispatcher.dispatch('a.b', 1, { ...details, tx })).rejects.toMatchObject({
          code: 'storage_failed',
          message: expect.stringContaining('roll back'),
        });
        await expect(dispatcher.dispatch('a.b', 1, details)).resolves.toMatchObject({ eventId: first });
      });
      await inTransaction(async (tx) => {
        expect((await dispatcher.dispatch('a.b', 1, { ...details, tx })).eventId).toBe(first);
      });
    },
  );

  test('two callers whose keys meet before either has committed is one event', async () => {
    const storage = postgresStorage(database.pool);
    const dispatcher = createDispatcher({ storage, channels: [recordingChannel()] });
    const inTransaction = await libraries.pg!();
    const details = { tenantId: 'meeting', idempotencyKey: 'k' };
    let other: Promise<{ readonly eventId: string }> | undefined;
    let first = '';
    await inTransaction(async (tx) => {
      ({ eventId: first } = await dispatcher.dispatch('a.b', 1, { ...details, tx }));
      // It waits for the commit, and then returns the first one's result.
      other = dispatcher.dispatch('a.b', 1, details);
      await until(async () => {
        const text =
          "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        return (await database.pool.query(text)).rows.length > 0;
      });
    });
    expect((await other)?.eventId).toBe(first);
  });
});

describe.skipIf(!hasPostgres())('An idempotency key that an open transaction holds', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
    await postgresStorage(database.pool).migrate();
  });

  /** Opens a transaction that has dispatched with these keys. */
  const holding = async (keys: readonly string[]) => {
    const dispatcher = createDispatcher({
      storage: postgresStorage(database.pool),
      channels: [recordingChannel()],
    });
    const client = await database.newPool().connect();
    await client.query('begin');
    const events = await dispatcher.dispatchMany(
      keys.map((idempotencyKey) => ({ type: 'a.b', payload: 1, idempotencyKey })),
      { tx: client },
    );
    const end = async (how: 'commit' | 'rollback') => {
      await client.query(how);
      client.release();
    };
    return { ids: events.map(({ eventId }) => eventId), end };
  };

  test.each([['commit'], ['rollback']] as const)(
    'is waited for only by the call with this key: %s',
    async (how) => {
      const held = Array.from({ length: 12 }, (_, n) => `${how} ${n}`);
      const { ids, end } = await holding(held);
      // Two connections for twelve calls that wait, and for all others.
      const storage = postgresStorage(database.newPool({ max: 2 }));
      const dispatcher = createDispatcher({ storage, channels: [recordingChannel()] });
      const isDone = new Set<string>();
      const waiting = held.map(async (idempotencyKey) => {
        const { eventId } = await dispatcher.dispatch('a.b', 1, { idempotencyKey });
        isDone.add(idempotencyKey);
        return eventId;
      });
      for (let round = 0; round < 5; round++) {
        // In the same turn, with keys and without.
        const others = Array.from({ length: 20 }, (_, n) =>
          dispatcher.dispatch('c.d', n, n % 2 ? {} : { idempotencyKey: `${how} other ${round} ${n}` }),
        );
        const own = dispatcher.dispatch('a.b', 1, { idempotencyKey: held[0]! });
        expect(new Set((await Promise.all(others)).map(({ eventId }) => eventId)).size).toBe(20);
        waiting.push(own.then(({ eventId }) => eventId));
      }
      expect([...isDone]).toEqual([]);
      await end(how);
      const stored = await Promise.all(waiting);
      if (how === 'commit') expect(stored.slice(0, 12)).toEqual(ids);
      else for (const id of ids) expect(stored).not.toContain(id);
      expect(new Set(stored.slice(0, 12)).size).toBe(12);
      expect(new Set([stored[0], ...stored.slice(12)]).size).toBe(1);
    },
  );

  test('leaves no changed time limit behind in the session', async () => {
    const { end } = await holding(['limit']);
    const pool = database.newPool({ max: 1 });
    const { deliveries } = postgresStorage(pool);
    const event = { ...newEvent(), idempotencyKey: 'limit', fingerprint: 'f' };
    await expect(deliveries.publish([event], { keyWaitMs: 10 })).rejects.toMatchObject({
      code: 'idempotency_key_in_use',
    });
    await deliveries.publish([{ ...event, idempotencyKey: 'free' }], { keyWaitMs: 10 });
    expect((await pool.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '0' }]);
    await end('rollback');
  });
});

describe.skipIf(!hasPostgres())('An invalid transaction is refused before anything is stored:', () => {
  let database: TestDatabase;
  const closers: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    database = await openDatabase();
    await postgresStorage(database.pool).migrate();
  });
  afterAll(async () => {
    for (const close of closers) await close();
  });

  const wrong: [what: string, make: () => unknown][] = [
    ['the pool of the storage', () => database.pool],
    ['another pool', () => database.newPool()],
    ['a client without begin', () => connected(async () => {})],
    [
      'a client whose transaction has ended',
      () =>
        connected(async (client) => {
          await client.query('begin');
          await client.query('commit');
        }),
    ],
    [
      'knex itself',
      () => {
        const db = knex({ client: 'pg', connection: database.url });
        closers.push(() => db.destroy());
        return fromKnex(db);
      },
    ],
    [
      'a transaction of knex that has ended',
      async () => {
        const db = knex({ client: 'pg', connection: database.url });
        closers.push(() => db.destroy());
        const trx = await db.transaction();
        await trx.commit();
        return fromKnex(trx);
      },
    ],
    [
      'the database of kysely',
      () => fromKysely(new Kysely({ dialect: new PostgresDialect({ pool: database.newPool() }) })),
    ],
    ['the database of drizzle', () => fromDrizzle(drizzle(database.newPool()))],
    ...(['manager', 'source'] as const).map((which): [string, () => Promise<unknown>] => [
      `the ${which} of a data source of typeorm`,
      async () => {
        const source = await new DataSource({ type: 'postgres', url: database.url }).initialize();
        closers.push(() => source.destroy());
        return fromTypeorm((which === 'manager' ? source.manager : source) as never);
      },
    ]),
    [
      'the client of prisma',
      () => fromPrisma({ $connect: async () => {}, $queryRawUnsafe: async () => [] } as never),
    ],
    [
      'PGlite itself',
      () => ({ query: database.pool.query.bind(database.pool), transaction: async () => {} }),
    ],
    ['a client that answers with the rows themselves', () => ({ query: async () => [] })],
    ['a client that answers with nothing', () => ({ query: async () => undefined })],
  ];

  async function connected(work: (client: PoolClient) => Promise<void>) {
    const client = await database.newPool().connect();
    closers.push(async () => client.release());
    await work(client);
    return client;
  }

  test.each(wrong)('%s', async (_, make) => {
    const storage = postgresStorage(database.pool);
    const dispatcher = createDispatcher({ storage, channels: [recordingChannel()] });
    const late = (async () => dispatcher.dispatch('a.b', 1, { tx: (await make()) as Transaction }))();
    await expect(late).rejects.toMatchObject({ code: 'invalid_option' });
    expect((await dispatcher.events.list()).items).toEqual([]);
  });

  test('but not a client whose begin has not been awaited', async () => {
    const storage = postgresStorage(database.pool);
    const dispatcher = createDispatcher({ storage, channels: [recordingChannel()] });
    const client = await database.newPool().connect();
    await client.query('select 1');
    const begun = client.query('begin');
    await dispatcher.dispatch('a.b', 1, { tx: client });
    await begun;
    await client.query('rollback');
    client.release();
    expect((await dispatcher.events.list()).items).toEqual([]);
  });
});

describe('a value that is not a transaction', () => {
  test.each([
    ['fromDrizzle', fromDrizzle],
    ['fromKysely', fromKysely],
    ['fromKnex', fromKnex],
    ['fromPrisma', fromPrisma],
    ['fromTypeorm', fromTypeorm],
  ])('is refused by %s, and the error names the function', (name, adapt) => {
    for (const wrong of [undefined, null, {}, 'tx', 7]) {
      expect(() => adapt(wrong as never)).toThrow(
        expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
      );
    }
  });
});

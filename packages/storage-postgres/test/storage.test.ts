import { randomBytes } from 'node:crypto';
import { createDispatcher } from '@posthorn/core';
import { type Backfilled, createIds, firstEventId, type NewEvent } from '@posthorn/core/storage';
import { recordingChannel, until } from '@posthorn/testing';
import pg from 'pg';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { postgresNotifier, postgresStorage } from '../src/index.js';
import { migrationText } from '../src/schema/migrate.js';
import { migrations } from '../src/schema/migrations.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

const ids = createIds();
const event = (overrides: Partial<NewEvent> = {}): NewEvent => ({
  id: ids.event(),
  tenantId: 't',
  type: 'order.created',
  payload: '{}',
  occurredAt: new Date(),
  namespaceId: null,
  subject: null,
  cacheScope: null,
  orderingKey: null,
  matchingPatterns: ['order.created', '*'],
  ...overrides,
});
const claimAll = { limit: 100, leaseMs: 60_000, webhookLimit: 100, webhookRoom: new Map<string, number>() };
const newWebhook = (overrides = {}) => ({
  id: ids.webhook(),
  tenantId: 't',
  name: 'w',
  eventTypes: ['order.*', 'order.created'],
  channels: [{ id: ids.binding(), channel: 'test', configs: {} }],
  isActive: true,
  secrets: [],
  ...overrides,
});

describe('options of postgresStorage', () => {
  const pool = { query: async () => ({ rows: [] }) };

  test.each([
    ['no pool', undefined, {}, 'pool'],
    ['a pool without query', {}, {}, 'pool'],
    ['an unknown option', pool, { shcema: 'x' }, 'shcema'],
    ['A12: a schema that would end its quotes', pool, { schema: 'x"; drop schema public; --' }, 'schema'],
    ['an empty schema', pool, { schema: '' }, 'schema'],
    ['A12: a schema of 64 bytes', pool, { schema: 's'.repeat(64) }, 'schema'],
    ['a schema of Postgres itself', pool, { schema: 'pg_catalog' }, 'schema'],
    ['prepare that is not a boolean', pool, { prepare: 'yes' }, 'prepare'],
    ['a timeout of 0', pool, { timeoutMs: 0 }, 'timeoutMs'],
    ['a timeout beyond the maximum of a timer', pool, { timeoutMs: 2 ** 31 }, 'timeoutMs'],
    ['clockOffset that is not a function', pool, { clockOffset: 7 }, 'clockOffset'],
  ])('refuse %s, and name it', (_, given, options, name) => {
    expect(() => postgresStorage(given as never, options as never)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
    );
  });

  test('refuse a notifier without a way to connect', () => {
    for (const [connect, options] of [
      [undefined, {}],
      [() => {}, { channel: 'a"b' }],
      [() => {}, { heartbeatMs: 0 }],
      [() => {}, { heartbeatMs: 2 ** 31 }],
    ]) {
      expect(() => postgresNotifier(connect as never, options as never)).toThrow(
        expect.objectContaining({ code: 'invalid_option' }),
      );
    }
  });
});

describe.skipIf(!hasPostgres())('the storage on Postgres', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
  });

  const count = async (text: string): Promise<number> =>
    Number((await database.pool.query(text)).rows[0].count);

  test('names the remedy before its migration', async () => {
    const storage = postgresStorage(database.pool, { schema: 'nowhere' });
    await expect(storage.webhooks.get('t', 'wh_0123456789')).rejects.toMatchObject({
      code: 'storage_failed',
      message: expect.stringContaining('migrate()'),
    });
  });

  test('migrates once when several processes start', async () => {
    const storages = Array.from({ length: 8 }, () =>
      postgresStorage(database.newPool({ max: 1 }), { schema: 'races' }),
    );
    await Promise.all(storages.map((storage) => storage.migrate()));
    await storages[0]!.migrate();
    expect(await count('select count(*) from races.migrations')).toBe(migrations.length);
    await storages[1]!.webhooks.create(newWebhook());
    expect(await count('select count(*) from races.webhooks')).toBe(1);
  });

  test.each(['repeatable read', 'serializable'])('migrates once where transactions are %s', async (level) => {
    const schema = level.replace(' ', '_');
    const options = `-c default_transaction_isolation=${level.replace(' ', '\\ ')}`;
    const pools = Array.from({ length: 6 }, () => database.newPool({ max: 1, options }));
    await Promise.all(pools.map((pool) => pool.query('select 1')));
    await Promise.all(pools.map((pool) => postgresStorage(pool, { schema }).migrate()));
    expect(await count(`select count(*) from ${schema}.migrations`)).toBe(migrations.length);
  });

  test('migrates and writes webhooks when all tables are in a publication', async () => {
    await database.pool.query('create publication everything for all tables');
    onTestFinished(async () => void (await database.pool.query('drop publication everything')));
    const { migrate, webhooks } = postgresStorage(database.pool, { schema: 'published' });
    await migrate();
    // The state that an earlier form of the migrations left, before there was a publication.
    const { number } = migrations.find((migration) => migration.name === 'webhook_pages')!;
    await database.pool.query(`alter table published.webhook_versions replica identity default;
      delete from published.migrations where number = ${number}`);
    await migrate();
    const created = await webhooks.create(newWebhook());
    expect(await webhooks.update('t', created.id, created.version, { name: 'x' })).toMatchObject({
      name: 'x',
    });
    expect(await webhooks.delete('t', created.id)).toBe(true);
  });

  test('needs no privilege to create anything when the schema is up to date', async () => {
    await postgresStorage(database.pool, { schema: 'granted' }).migrate();
    const role = `app_${randomBytes(4).toString('hex')}`;
    await database.pool.query(`create role ${role} login; grant usage on schema granted to ${role};
      grant select on granted.migrations to ${role}`);
    const pool = database.newPool({ options: `-c role=${role}` });
    await postgresStorage(pool, { schema: 'granted' }).migrate();
    // It does not need to write either, as while the primary is down.
    const replica = database.newPool({ options: '-c default_transaction_read_only=on' });
    await postgresStorage(replica, { schema: 'granted' }).migrate();
    await expect(postgresStorage(pool, { schema: 'denied' }).migrate()).rejects.toMatchObject({
      code: 'storage_failed',
    });
    await pool.end();
    await database.pool.query(`drop owned by ${role}; drop role ${role}`);
  });

  test('blocks no other session while it waits for an open transaction', async () => {
    await database.pool.query(migrationText('waits', migrations.slice(0, 2)));
    const storage = postgresStorage(database.pool, { schema: 'waits' });
    const open = await database.pool.connect();
    await open.query('begin');
    await open.query('lock table waits.queue in row exclusive mode');
    const migrating = storage.migrate();
    await until(() => count("select count(*) from pg_locks where not granted and locktype = 'relation'"));
    // Its lock is requested, and queues before every later one.
    const { rows } = await database.pool.query('select count(*)::integer as count from waits.queue');
    await database.pool.query("delete from waits.queue where event_id = 'none'");
    expect(rows).toEqual([{ count: 0 }]);
    await open.query('commit');
    open.release();
    await migrating;
    expect(await count('select count(*) from waits.migrations')).toBe(migrations.length);
  });

  test('migrates all or nothing', async () => {
    const broken = [
      ...migrations,
      {
        number: migrations.at(-1)!.number + 1,
        name: 'broken',
        text: 'create table :"schema".half (n int); select 1/0;',
      },
    ];
    await expect(database.pool.query(migrationText('broken', broken))).rejects.toThrow('division by zero');
    expect(await count("select count(*) from pg_namespace where nspname = 'broken'")).toBe(0);
  });

  test('supports schemas with capital letters, and keeps two schemas separate', async () => {
    const one = postgresStorage(database.pool, { schema: 'One' });
    const two = postgresStorage(database.pool, { schema: 'two' });
    await Promise.all([one.migrate(), two.migrate()]);
    await one.webhooks.create(newWebhook());
    await one.deliveries.publish([event()]);
    await two.deliveries.publish([event()]);
    expect((await two.log.deliveries('t', { limit: 10 })).items).toEqual([]);
    expect((await one.log.deliveries('t', { limit: 10 })).items).toHaveLength(1);
  });

  test('stores an event for 1,000 webhooks, and 1,000 events, in one statement each', async () => {
    const texts: string[] = [];
    const watched = {
      query(text: string, values?: unknown[]) {
        texts.push(text);
        return database.pool.query(text, values);
      },
    };
    const storage = postgresStorage(watched, { schema: 'fan_out' });
    await storage.migrate();
    await Promise.all(Array.from({ length: 1_000 }, () => storage.webhooks.create(newWebhook())));
    texts.length = 0;
    const { published } = await storage.deliveries.publish([event()]);
    expect(published[0]?.deliveries).toBe(1_000);
    const others = Array.from({ length: 1_000 }, () => event({ tenantId: 'other' }));
    expect((await storage.deliveries.publish(others)).published).toHaveLength(1_000);
    expect(texts).toHaveLength(2);
    for (const text of texts) expect(text.toLowerCase()).not.toContain('notify');
  });

  test('examines as many events for missing deliveries in a call as their webhooks allow, at least one', async () => {
    const storage = postgresStorage(database.pool, { schema: 'missing' });
    await storage.migrate();
    const types = ['many', 'few', 'many', 'many', 'few', 'many', 'none'];
    const idOf = (n: number) => `evt_${String(n).padStart(22, '0')}`;
    await storage.deliveries.publish(
      types.map((type, n) => event({ id: idOf(n), type, matchingPatterns: [type] })),
    );
    const bindings = () =>
      Array.from({ length: 100 }, () => ({ id: ids.binding(), channel: 'test', configs: {} }));
    const many = Array.from({ length: 101 }, () =>
      newWebhook({ eventTypes: ['many'], channels: bindings() }),
    );
    const webhooks = [...many, newWebhook({ eventTypes: ['few'] })];
    await Promise.all(webhooks.map((webhook) => storage.webhooks.create(webhook)));
    const selection = { status: [], isMissed: true as const, beforeEventId: 'evt_~' };
    const counts: number[] = [];
    let cursor: string | null = null;
    do {
      const options = { limit: 1, cursor, isDryRun: true };
      const counted: Backfilled = await storage.deliveries.backfill!('t', selection, options);
      counts.push(counted.deliveries);
      cursor = counted.cursor;
    } while (cursor !== null);
    expect(counts).toEqual([20_201, 20_201, 0]);
  });

  test('keeps payload bytes as they were given', async () => {
    const storage = postgresStorage(database.pool, { schema: 'bytes' });
    await storage.migrate();
    const payloads = [
      '{"a":1.10,"b":"\\u0000","c":"📯 ü"}',
      ' {"z":1,\n"a":1e2}',
      '"\\ud800"',
      `"${'é'.repeat(50_000)}"`,
    ];
    const events = payloads.map((payload) => event({ payload }));
    await storage.deliveries.publish(events);
    const { items } = await storage.log.events('t', { limit: 10 });
    for (const { id, payload } of events) expect(items.find((item) => item.id === id)?.payload).toBe(payload);
  });

  test('reads the rows of a client, whether or not that parses values', async () => {
    const types = { getTypeParser: () => (value: string) => value } as never;
    const raw = postgresStorage(database.newPool({ types }), { schema: 'raw' });
    const parsed = postgresStorage(database.pool, { schema: 'raw' });
    await raw.migrate();
    const given = newWebhook({ isActive: false });
    const created = await raw.webhooks.create(given);
    expect(created).toEqual(await parsed.webhooks.get('t', given.id));
    const updated = await raw.webhooks.update('t', given.id, 1, { isActive: true });
    expect(updated).toEqual(await parsed.webhooks.get('t', given.id));

    const one = event({ idempotencyKey: 'k', fingerprint: 'f', orderingKey: 'o' });
    const first = await raw.deliveries.publish([one]);
    expect(first.published).toEqual([{ eventId: one.id, deliveries: 1 }]);
    expect((await raw.deliveries.publish([event({ ...one, id: ids.event() })])).published).toEqual(
      first.published,
    );
    expect((await raw.deliveries.publish([event({ id: one.id })])).published).toEqual(first.published);

    const [claim] = await raw.deliveries.claim(claimAll);
    expect([claim?.attempt, claim?.attemptsBeforeRetry]).toEqual([1, 0]);
    const attempt = {
      id: ids.attempt(),
      deliveryId: claim!.deliveryId,
      number: 1,
      startedAt: new Date(),
      durationMs: 12,
      outcome: 'delivered' as const,
      kind: null,
      message: null,
      status: 204,
      response: null,
    };
    const settlement = { claim: claim!, next: { status: 'delivered' as const }, attempt };
    await raw.deliveries.begin([claim!], 0);
    expect(await raw.deliveries.settle([settlement])).toEqual([true]);
    expect(await raw.deliveries.settle([settlement])).toEqual([true]);
    expect(await raw.log.attempts('t', claim!.deliveryId)).toEqual([attempt]);
    const page = await raw.log.deliveries('t', { limit: 1 });
    expect(page).toEqual(await parsed.log.deliveries('t', { limit: 1 }));
    expect(page.items[0]?.attempts).toBe(1);
    expect(await raw.webhooks.delete('t', given.id)).toBe(true);
    expect(await raw.log.prune({ olderThanMs: 0, limit: 10 })).toBe(1);
  });

  test('treats a webhook that is created again with an old id as new', async () => {
    const storage = postgresStorage(database.pool, { schema: 'again' });
    await storage.migrate();
    const first = newWebhook({ secrets: [{ key: 'whsec_old', expiresAt: null }] });
    const keyOfNext = async () => {
      const { claims } = await storage.deliveries.publish([event()], { prefetch: claimAll });
      return claims[0]?.webhook.secrets[0]?.key;
    };
    await storage.webhooks.create(first);
    expect(await keyOfNext()).toBe('whsec_old');
    await storage.webhooks.delete('t', first.id);
    await storage.webhooks.create({ ...first, secrets: [{ key: 'whsec_new', expiresAt: null }] });
    expect(await keyOfNext()).toBe('whsec_new');
  });

  test('never leases two deliveries of an ordering key, even if a worker tries to', async () => {
    const storage = postgresStorage(database.pool, { schema: 'chains' });
    await storage.migrate();
    await storage.webhooks.create(newWebhook());
    await storage.deliveries.publish([event({ orderingKey: 'k' }), event({ orderingKey: 'k' })]);
    await storage.deliveries.claim(claimAll);
    await expect(
      database.pool.query('update chains.queue set lease = 7 where lease is null'),
    ).rejects.toMatchObject({
      code: '23505',
    });
  });

  test('lets a held delivery in when the worker that should have done so crashed', async () => {
    let offset = 0;
    const storage = postgresStorage(database.pool, { schema: 'orphaned', clockOffset: () => offset });
    await storage.migrate();
    await storage.webhooks.create(newWebhook());
    const [first, second] = [event({ orderingKey: 'k' }), event({ orderingKey: 'k' })];
    await storage.deliveries.publish([first, second]);
    await storage.deliveries.claim(claimAll);
    // The head is finished, and its worker crashed before it let the next one in.
    await database.pool.query('delete from orphaned.queue where event_id = $1', [first.id]);
    offset += 60_000;
    const claims = await storage.deliveries.claim(claimAll);
    expect(claims.map((claim) => claim.event.id)).toEqual([second.id]);
  });

  test('publishes again after a lost response, and stores nothing twice', async () => {
    let isLost = true;
    const flaky = {
      async query(text: string, values?: unknown[]) {
        const answer = await database.pool.query(text, values);
        if (isLost && text.includes('insert into "lost".events')) {
          isLost = false;
          throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
        }
        return answer;
      },
    };
    const storage = postgresStorage(flaky, { schema: 'lost' });
    await storage.migrate();
    await storage.webhooks.create(newWebhook());
    const one = event();
    const { published, claims } = await storage.deliveries.publish([one], { prefetch: claimAll });
    expect(published).toEqual([{ eventId: one.id, deliveries: 1 }]);
    expect(claims).toHaveLength(1);
    expect(await storage.deliveries.settle([{ claim: claims[0]!, next: { status: 'delivered' } }])).toEqual([
      true,
    ]);
    expect(await count('select count(*) from lost.deliveries')).toBe(1);
  });

  test('reports a result whose response was lost as written', async () => {
    let isLost = true;
    const flaky = {
      async query(text: string, values?: unknown[]) {
        const answer = await database.pool.query(text, values);
        if (isLost && text.includes('delete from "settled".queue')) {
          isLost = false;
          throw new Error('Connection terminated unexpectedly');
        }
        return answer;
      },
    };
    const storage = postgresStorage(flaky, { schema: 'settled' });
    await storage.migrate();
    await storage.webhooks.create(newWebhook());
    await storage.deliveries.publish([event()]);
    const [claim] = await storage.deliveries.claim(claimAll);
    const attempt = {
      id: ids.attempt(),
      deliveryId: claim!.deliveryId,
      number: 1,
      startedAt: new Date(),
      durationMs: 1,
      outcome: 'delivered' as const,
      kind: null,
      message: null,
      status: 200,
      response: '',
    };
    const settlement = { claim: claim!, next: { status: 'delivered' as const }, attempt };
    await storage.deliveries.begin([claim!], 0);
    expect(await storage.deliveries.settle([settlement])).toEqual([true]);
    expect(await storage.log.attempts('t', claim!.deliveryId)).toEqual([attempt]);
  });

  test.each([
    ['40001', 'a conflict with another transaction'],
    ['40P01', 'a deadlock'],
  ])('tries again after %s, %s', async (code) => {
    let failures = 3;
    const flaky = {
      async query(text: string, values?: unknown[]) {
        if (text.includes('insert into') && failures-- > 0) throw Object.assign(new Error('no'), { code });
        return database.pool.query(text, values);
      },
    };
    const storage = postgresStorage(flaky, { schema: `code_${code}` });
    await postgresStorage(database.pool, { schema: `code_${code}` }).migrate();
    const one = event();
    expect((await storage.deliveries.publish([one])).published).toEqual([{ eventId: one.id, deliveries: 0 }]);
  });

  test('continues without prepared statements when a pooler does not support them, including queries in flight', async () => {
    const pool = database.newPool({ max: 3 });
    await postgresStorage(pool, { schema: 'pooled' }).migrate();
    const names: (string | undefined)[] = [];
    const client = {
      async query(query: { name?: string; text: string; values: unknown[] }) {
        names.push(query.name);
        if (query.name) throw Object.assign(new Error('no such statement'), { code: '26000' });
        return pool.query(query.text, query.values);
      },
      release() {},
    };
    const pooled = { totalCount: 0, idleCount: 0, connect: async () => client, query: client.query };
    const storage = postgresStorage(pooled as never, { schema: 'pooled' });
    const [, ...pages] = await Promise.all([
      storage.deliveries.publish([event()]),
      storage.log.events('t', { limit: 1 }),
      storage.webhooks.list('t', { limit: 1 }),
      storage.log.deliveries('t', { limit: 1 }),
    ]);
    expect(pages.every(({ nextCursor }) => nextCursor === null)).toBe(true);
    const named = names.filter((name) => name !== undefined).length;
    expect(named).toBe(4);
    await storage.deliveries.publish([event()]);
    expect(names.filter((name) => name !== undefined)).toHaveLength(named);
  });

  test('handles errors of idle connections, so that the process continues', async () => {
    const pool = new pg.Pool({ connectionString: database.url });
    const storage = postgresStorage(pool, { schema: 'terminated' });
    await storage.migrate();
    const { rows } = await pool.query('select pg_backend_pid() as pid');
    const ended = new Promise((resolve) => pool.once('remove', resolve));
    await database.pool.query('select pg_terminate_backend($1)', [rows[0].pid]);
    await ended;
    await storage.deliveries.publish([event()]);
    await pool.end();
  });

  test('refuses a tx that is not a transaction, and names what creates one', async () => {
    const storage = postgresStorage(database.pool, { schema: 'refusals' });
    await storage.migrate();
    await expect(storage.deliveries.publish([event()], { tx: {} as never })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('fromDrizzle'),
    });
    for (const cursor of ['x', "'; drop", '1'.repeat(40)]) {
      await expect(storage.log.events('t', { limit: 1, cursor })).rejects.toMatchObject({
        code: 'invalid_option',
      });
    }
  });

  test('writes all results of a call in one statement, whatever each result is, or none', async () => {
    let failing = false;
    const written: string[] = [];
    const watched = {
      query(text: string, values?: unknown[]) {
        if (/insert into "\w+"\.(deliveries|attempts)/.test(text)) {
          written.push(text);
          if (failing) throw Object.assign(new Error('canceling statement'), { code: '57014' });
        }
        return database.pool.query(text, values);
      },
    };
    const storage = postgresStorage(watched, { schema: 'all_results' });
    await storage.migrate();
    await storage.webhooks.create(newWebhook());
    await storage.deliveries.publish([event(), event(), event()]);
    const claims = await storage.deliveries.claim(claimAll);
    written.length = 0;
    const statuses = [{ status: 'delivered' }, { status: 'pending', delayMs: 0 }, { status: 'released' }];
    const settlements = claims.map((claim, n) => ({ claim, next: statuses[n] as { status: 'released' } }));
    failing = true;
    await expect(storage.deliveries.settle(settlements)).rejects.toMatchObject({ code: 'storage_failed' });
    expect(await storage.deliveries.renew(claims, 60_000)).toHaveLength(3);
    failing = false;
    expect(await storage.deliveries.settle(settlements)).toEqual([true, true, true]);
    expect(written).toHaveLength(2);
  });

  test('returns the payload of an event once in a claim, and ends a claim that has returned enough bytes', async () => {
    const storage = postgresStorage(database.pool, { schema: 'heavy' });
    await storage.migrate();
    for (let n = 0; n < 3; n++) await storage.webhooks.create(newWebhook());
    const megabyte = 1_024 * 1_024;
    const events = Array.from({ length: 10 }, () =>
      event({ payload: JSON.stringify(randomBytes(megabyte).toString('base64')) }),
    );
    await postgresStorage(database.pool, { schema: 'heavy' }).deliveries.publish(events);
    const all: string[] = [];
    for (let round = 0; all.length < 30; round++) {
      expect(round).toBeLessThan(30);
      const claims = await storage.deliveries.claim(claimAll);
      expect(claims.length).toBeGreaterThan(0);
      const payloads = new Set(claims.map((claim) => claim.event.payload));
      const bytes = [...payloads].reduce((sum, payload) => sum + payload.length, 0);
      expect(bytes).toBeLessThan(8 * megabyte + 1.4 * megabyte);
      for (const { event: own } of claims)
        expect(events.find(({ id }) => id === own.id)?.payload === own.payload).toBe(true);
      all.push(...claims.map((claim) => claim.deliveryId));
    }
    expect(new Set(all).size).toBe(30);
    expect(await storage.deliveries.claim(claimAll)).toEqual([]);
  });

  test('keeps ordering keys in order, and creates webhooks and API keys, when the sequences are behind', async () => {
    const { pool } = database;
    const storage = postgresStorage(pool, { schema: 'behind' });
    await storage.migrate();
    for (let n = 0; n < 30; n++) await storage.webhooks.create(newWebhook());
    const { apiKeys } = createDispatcher({ storage, channels: [] });
    const key = (name: string) => ({ name, tenantId: 't', scopes: ['webhooks:read'] }) as const;
    for (let n = 0; n < 30; n++) await apiKeys.create(key('k'));
    const names: string[] = [];
    for (const restart of [500_000, 1, 1, 2]) {
      await pool.query(`alter sequence behind.queue_position restart with ${restart}`);
      const three = Array.from({ length: 3 }, () => event({ orderingKey: 'k', type: 'order.created' }));
      names.push(...three.map(({ id }) => id));
      await storage.deliveries.publish(three);
    }
    for (const table of ['webhooks', 'api_keys', 'documents'])
      await pool.query(`alter sequence behind.${table}_position_seq restart with 1`);
    const made = await storage.webhooks.create(newWebhook());
    expect((await storage.webhooks.list('t', { limit: 1 })).items[0]?.id).toBe(made.id);
    await apiKeys.create(key('new'));
    expect((await apiKeys.list({ tenantId: 't', limit: 1 })).items[0]?.name).toBe('new');
    const binding = 'behind.queue.binding_id';
    const { rows } = await pool.query(`select min(${binding}) as one from behind.queue`);
    const order: string[] = [];
    for (let n = 0; n < names.length; n++) {
      const claims = (await storage.deliveries.claim(claimAll)).filter(({ deliveryId: id }) =>
        id.endsWith(rows[0].one.slice(3)),
      );
      order.push(...claims.map((claim) => claim.event.id));
      await storage.deliveries.settle(claims.map((claim) => ({ claim, next: { status: 'delivered' } })));
    }
    expect(order).toEqual(names);
  });

  test('claims one first of two deliveries with the same position', async () => {
    const { pool } = database;
    const storage = postgresStorage(pool, { schema: 'tied' });
    await storage.migrate();
    await storage.webhooks.create(newWebhook());
    await storage.webhooks.create(newWebhook({ tenantId: 'u' }));
    const tied = [event({ orderingKey: 'k' }), event({ orderingKey: 'k' })];
    await storage.deliveries.publish([...tied, event({ tenantId: 'u' })]);
    await pool.query(
      'update tied.queue set position = 7, is_ready = true, is_held = false where tenant_id = $1',
      ['t'],
    );
    const claims = await storage.deliveries.claim(claimAll);
    expect(claims.map((claim) => claim.event.tenantId).sort()).toEqual(['t', 'u']);
    await storage.deliveries.settle(claims.map((claim) => ({ claim, next: { status: 'delivered' } })));
    const next = await storage.deliveries.claim(claimAll);
    expect(
      [...claims, ...next].flatMap(({ event: { id, tenantId } }) => (tenantId === 't' ? [id] : [])),
    ).toEqual(tied.map(({ id }) => id).sort());
  });

  test('claims behind any number of paused webhooks with deliveries', async () => {
    const storage = postgresStorage(database.pool, { schema: 'paused' });
    await storage.migrate();
    const live = newWebhook({ tenantId: 'z' });
    await storage.webhooks.create(live);
    await database.pool.query(`
      insert into paused.webhooks (id, tenant_id, name, event_types, channels, binding_ids, binding_channels, secrets,
        is_active, version, created_at, updated_at)
      select 'wh_' || lpad(i::text, 10, '0'), 'a', 'w', '{}', '[]', '{}', '{}', '[]', false, 1, now(), now()
      from generate_series(1, 11000) i`);
    await database.pool.query(`
      insert into paused.queue (due_at, attempts, attempts_before, is_ready, is_held, yields, event_id, binding_id,
        tenant_id, webhook_id, channel)
      select now(), 0, 0, true, false, false, 'evt_' || lpad(i::text, 22, '0'), 'ch_0123456789', 'a',
        'wh_' || lpad(i::text, 10, '0'), 'test'
      from generate_series(1, 11000) i`);
    const one = event({ tenantId: 'z' });
    // Published as by another process, a minute ago.
    await postgresStorage(database.pool, { schema: 'paused' }).deliveries.publish([one]);
    await database.pool.query("update paused.queue set due_at = due_at - interval '1 minute'");
    const claims: string[] = [];
    const claimSome = async () => {
      claims.push(...(await storage.deliveries.claim(claimAll)).map((claim) => claim.event.id));
      return claims.length > 0;
    };
    // It takes two walks past all of them. The slower a walk is, the later the next one starts.
    await until(claimSome, { timeoutMs: 50_000 });
    expect(claims).toEqual([one.id]);
  });

  test('resolves a publish that is stored, whatever fails afterwards, and releases what it cannot hand out', async () => {
    let fails = true;
    const flaky = {
      async query(text: string, values?: unknown[]) {
        const isAfter = /w\.secrets/.test(text) || /with next as/.test(text);
        if (fails && isAfter) throw Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
        return database.pool.query(text, values);
      },
    };
    const storage = postgresStorage(flaky, { schema: 'afterwards' });
    await storage.migrate();
    await postgresStorage(database.pool, { schema: 'afterwards' }).webhooks.create(newWebhook());
    const [one, keyed] = [event(), event({ orderingKey: 'k' })];
    const { published, claims } = await storage.deliveries.publish([one, keyed], { prefetch: claimAll });
    expect(published.map(({ deliveries }) => deliveries)).toEqual([1, 1]);
    expect(claims).toEqual([]);
    await expect(storage.deliveries.claim(claimAll)).rejects.toMatchObject({ code: 'storage_failed' });
    fails = false;
    const again = await storage.deliveries.claim(claimAll);
    expect(new Set(again.map((claim) => claim.event.id))).toEqual(new Set([one.id, keyed.id]));
    expect(again.map(({ attempt }) => attempt)).toEqual([1, 1]);
  });

  test('claims quickly among thousands of due retries with one ordering key', async () => {
    const storage = postgresStorage(database.pool, { schema: 'retries' });
    await storage.migrate();
    await storage.webhooks.create(newWebhook());
    const timeBeside = async (count: number): Promise<number> => {
      await database.pool.query('delete from retries.queue');
      const events = Array.from({ length: count }, () => event({ orderingKey: 'k' }));
      await storage.deliveries.publish(events);
      // The receiver was down: all deliveries have failed once, and no longer block their order.
      await database.pool.query(`update retries.queue
        set is_held = false, is_ready = false, yields = true, due_at = now() - interval '1 second'`);
      await database.pool.query('vacuum analyze retries.queue');
      const begin = performance.now();
      const [claim, ...others] = await storage.deliveries.claim(claimAll);
      expect([claim!.event.orderingKey, others.length]).toEqual(['k', 0]);
      return performance.now() - begin;
    };
    const few = await timeBeside(500);
    // Checking all predecessors of each of 8,000 deliveries takes a second.
    expect(await timeBeside(8_000)).toBeLessThan(Math.max(20 * few, 250));
  });

  test('claims as fast beside rows that an old snapshot keeps from being cleaned up', async () => {
    const storage = postgresStorage(database.pool, { schema: 'snapshot' });
    await storage.migrate();
    await storage.webhooks.create(newWebhook());
    const old = await database.pool.connect();
    await old.query('begin isolation level repeatable read');
    await old.query('select count(*) from snapshot.queue');
    const times: number[] = [];
    for (let round = 0; round < 60; round++) {
      await storage.deliveries.publish(Array.from({ length: 500 }, () => event()));
      for (let left = 500; left > 0; ) {
        const begin = performance.now();
        const claims = await storage.deliveries.claim(claimAll);
        times.push(performance.now() - begin);
        left -= claims.length;
        await storage.deliveries.settle(claims.map((claim) => ({ claim, next: { status: 'delivered' } })));
      }
    }
    await old.query('rollback');
    old.release();
    const median = (list: number[]) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
    const [early, late] = [median(times.slice(0, 60)), median(times.slice(-60))];
    // Stepping over 30,000 dead rows once costs milliseconds, and a scan of all of them each time costs more.
    expect(late).toBeLessThan(Math.max(5 * early, 40));
  });

  describe('with hints', () => {
    const connect = () => new pg.Client({ connectionString: database.url });

    test('a process that only publishes wakes a delivering process at once', async () => {
      const storage = () => postgresStorage(database.newPool(), { schema: 'hints' });
      await storage().migrate();
      const channel = recordingChannel();
      const options = { channels: [channel], pollInterval: '1h' } as const;
      const worker = createDispatcher({
        ...options,
        storage: storage(),
        notifier: postgresNotifier(connect),
      });
      const publisher = createDispatcher({
        ...options,
        storage: storage(),
        notifier: postgresNotifier(connect),
      });
      const channels = [{ channel: channel.type, configs: {} }];
      await publisher.webhooks.create({ name: 'w', eventTypes: ['*'], channels });
      worker.start();
      await until(() => count("select count(*) from pg_stat_activity where query like 'listen %'"));
      await publisher.dispatch('order.created', 1);
      await until(() => channel.deliveries.length === 1);
      await publisher.dispatch('order.created', 2);
      await until(() => channel.deliveries.length === 2);
      await worker.stop();
    });

    test('listens again on a new connection when the old one ends, and claims at once', async () => {
      const hints: number[] = [];
      const notifier = postgresNotifier(connect, { channel: 'again', heartbeatMs: 200 });
      const stop = await notifier.listen(() => hints.push(Date.now()));
      const listening = `select pid from pg_stat_activity where query = 'listen "again"'`;
      const { rows } = await database.pool.query(listening);
      const before = hints.length;
      await database.pool.query('select pg_terminate_backend($1)', [rows[0].pid]);
      await until(() => hints.length > before);
      const again = hints.length;
      await notifier.notify();
      await until(() => hints.length > again);
      await stop();
      await until(async () => (await database.pool.query(listening)).rows.length === 0);
    });

    test('closes the connection of a process that only publishes once it is idle', async () => {
      const connections = () =>
        count("select count(*) from pg_stat_activity where application_name = 'quiet'");
      const notifier = postgresNotifier(
        () => new pg.Client({ connectionString: database.url, application_name: 'quiet' }),
        { heartbeatMs: 200 },
      );
      await notifier.notify();
      expect(await connections()).toBe(1);
      await until(async () => (await connections()) === 0);
      const stop = await notifier.listen(() => {});
      await notifier.notify();
      await stop();
      await until(async () => (await connections()) === 0);
    });

    test.each([
      [
        'throws',
        () => {
          throw new TypeError('no url');
        },
      ],
      ['returns no client', () => ({}) as never],
    ])("reports an error if the application's connect %s", async (_, wrong) => {
      const storage = postgresStorage(database.pool, { schema: 'hints' });
      await storage.migrate();
      const channel = recordingChannel();
      const worker = createDispatcher({ storage, channels: [channel], notifier: postgresNotifier(wrong) });
      const errors: unknown[] = [];
      worker.on('error', (error) => errors.push(error));
      worker.start();
      await until(() => errors.length > 0);
      await worker.stop();
      expect(errors[0]).toMatchObject({
        code: 'invalid_option',
        message: expect.stringContaining('connect'),
      });
    });

    test('rejects a notify that cannot connect', async () => {
      const nowhere = () => new pg.Client({ host: '127.0.0.1', port: 1 });
      await expect(postgresNotifier(nowhere).notify()).rejects.toMatchObject({ code: 'storage_failed' });
      const stop = await postgresNotifier(nowhere).listen(() => {});
      await stop();
    });
  });

  describe('with partitions', () => {
    const day = 86_400_000;

    test('new rows go into partitions of their own, and old partitions are dropped whole', async () => {
      let offset = 0;
      const storage = postgresStorage(database.pool, { schema: 'parts', clockOffset: () => offset });
      await storage.migrate();
      await storage.webhooks.create(newWebhook());
      const { added } = await storage.partition({ every: 'day', ahead: 2 });
      expect(added).toHaveLength(3);
      expect(await storage.partition({ every: 'day', ahead: 2 })).toEqual({ added: [], dropped: [] });

      const old = event();
      await storage.deliveries.publish([old]);
      expect(await count(`select count(*) from parts.events_${added[0]}`)).toBe(1);
      expect(await count('select count(*) from parts.events_default')).toBe(0);
      offset += 10 * day;
      // An unfinished delivery keeps its whole partition.
      expect((await storage.partition({ every: 'day', olderThanMs: 2 * day })).dropped).not.toContain(
        added[0],
      );
      const claims = await storage.deliveries.claim(claimAll);
      await storage.deliveries.settle(claims.map((claim) => ({ claim, next: { status: 'delivered' } })));
      const { dropped } = await storage.partition({ every: 'day', olderThanMs: 2 * day });
      expect(dropped).toContain(added[0]);
      expect((await storage.log.events('t', { limit: 10 })).items).toEqual([]);
      expect((await storage.log.deliveries('t', { limit: 10 })).items).toEqual([]);
    });

    test('are created and deletable when all tables are in a publication', async () => {
      await database.pool.query('create publication everything for all tables');
      onTestFinished(async () => void (await database.pool.query('drop publication everything')));
      const storage = postgresStorage(database.pool, { schema: 'sent_on' });
      await storage.migrate();
      expect((await storage.partition({ every: 'day', ahead: 1 })).added).toHaveLength(2);
      await storage.deliveries.publish([event()]);
      await database.pool.query('delete from sent_on.events');
      const { rows } = await database.pool.query(
        `select relname from pg_class where relnamespace = 'sent_on'::regnamespace and relkind = 'r' and relreplident = 'f'`,
      );
      expect(rows, 'only a table without a primary key has a full replica identity').toEqual([
        { relname: 'webhook_versions' },
      ]);
    });

    test('of another length follow the existing ones', async () => {
      let offset = Date.UTC(2026, 10, 25, 12) - Date.now(); // a Wednesday
      const storage = postgresStorage(database.pool, { schema: 'lengths', clockOffset: () => offset });
      await storage.migrate();
      const added = async (every: 'day' | 'week' | 'month', ahead: number) =>
        (await storage.partition({ every, ahead })).added;
      expect(await added('day', 2)).toEqual([
        'p20261125_20261126',
        'p20261126_20261127',
        'p20261127_20261128',
      ]);
      expect(await added('week', 1)).toEqual(['p20261128_20261130', 'p20261130_20261207']);
      expect(await added('week', 1)).toEqual([]);
      expect(await added('month', 1)).toEqual(['p20261207_20270101']);
      expect(await added('day', 3)).toEqual([]);
      offset += 60 * day;
      expect(await added('day', 1)).toEqual(['p20270124_20270125', 'p20270125_20270126']);
    });

    test('are recognized when backslashes in strings are escapes', async () => {
      const options = '-c standard_conforming_strings=off -c escape_string_warning=off';
      const storage = postgresStorage(database.newPool({ options }), { schema: 'escapes' });
      await storage.migrate();
      expect((await storage.partition({ every: 'day', ahead: 1 })).added).toHaveLength(2);
      expect((await storage.partition({ every: 'day', ahead: 1 })).added).toEqual([]);
    });

    test('are not created for a range that already has rows', async () => {
      const storage = postgresStorage(database.pool, { schema: 'late_parts' });
      await storage.migrate();
      const one = event();
      await storage.deliveries.publish([one]);
      const { added } = await storage.partition({ every: 'month', ahead: 1 });
      expect(added).toHaveLength(1);
      expect((await storage.log.events('t', { limit: 10 })).items.map(({ id }) => id)).toEqual([one.id]);
    });

    test.each([
      [{}],
      [{ every: 'hour' }],
      [{ every: 'day', ahead: -1 }],
      [{ every: 'day', olderThan: 1 }],
      [undefined],
    ])('refuse the options %j', async (options) => {
      const storage = postgresStorage(database.pool, { schema: 'parts' });
      await expect(storage.partition(options as never)).rejects.toMatchObject({ code: 'invalid_option' });
    });

    test('firstEventId returns a bound below all ids from a time on', () => {
      const at = Date.UTC(2026, 10, 23);
      const idAt = (ms: number) => createIds({ now: () => ms }).event();
      expect(firstEventId(at) < idAt(at)).toBe(true);
      expect(idAt(at - 1) < firstEventId(at)).toBe(true);
    });
  });
});

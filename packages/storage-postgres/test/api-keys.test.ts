import { createDispatcher } from '@posthorn/core';
import { until } from '@posthorn/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

describe.skipIf(!hasPostgres())('API keys on Postgres', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
    await postgresStorage(database.pool).migrate();
  });

  const input = { name: 'Deployment', scopes: ['webhooks:read'] } as const;
  /** The engine of another process. */
  const process = () => createDispatcher({ storage: postgresStorage(database.newPool()), channels: [] });

  test('A4: a key that one process revokes opens nothing in another within a second, however busy that is', async () => {
    const [one, other] = [process(), process()];
    const { apiKey, key } = await one.apiKeys.create(input);
    expect(await other.apiKeys.verify(key)).toMatchObject({ id: apiKey.id });
    await one.apiKeys.revoke(apiKey.id);
    await until(async () => (await other.apiKeys.verify(key)) === undefined, {
      timeoutMs: 1_000,
      everyMs: 10,
    });
    expect(await other.apiKeys.verify(key)).toBeUndefined();
  });

  test('A34: no table holds a key, and one holds its hash', async () => {
    const { apiKeys } = process();
    const { key } = await apiKeys.create(input);
    await apiKeys.verify(key);
    const { pool } = database;
    const { rows } = await pool.query(
      "select table_name as name from information_schema.tables where table_schema = 'posthorn'",
    );
    const texts = [];
    for (const { name } of rows) {
      const table = await pool.query(`select t::text as row from posthorn.${name} t`);
      texts.push(...table.rows.map(({ row }) => row));
    }
    const { rows: hashes } = await pool.query(
      `select rtrim(translate(encode(sha256($1), 'base64'), '+/', '-_'), '=') as hash`,
      [Buffer.from(key)],
    );
    expect(texts.filter((text) => text.includes(key.slice(18)))).toEqual([]);
    // The document, and the row that processes of the version before read.
    expect(texts.filter((text) => text.includes(hashes[0].hash))).toHaveLength(2);
  });

  test('one among many is found by one row of an index', async () => {
    const { pool } = database;
    await pool.query(
      `insert into posthorn.documents (kind, id, tenant_id, version, body, created_at, updated_at)
      select 'note', 'key_' || lpad(i::text, 10, '0'), 'many', 1, i::text, now(), now() from generate_series(1, 20000) i`,
    );
    await pool.query('analyze posthorn.documents');
    const plans: string[] = [];
    const watched = {
      async query(text: string, values?: unknown[]) {
        const { rows } = await pool.query(`explain ${text}`, values);
        plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
        return pool.query(text, values);
      },
    };
    const documents = postgresStorage(watched).documents!;
    expect((await documents.get('note', 'key_0000000007')).document).toMatchObject({ body: '7' });
    const { nextCursor } = await documents.list('note', 'many', { limit: 10 });
    await documents.list('note', 'many', { limit: 10, cursor: nextCursor! });
    const all = await documents.list('note', undefined, { limit: 10 });
    await documents.list('note', undefined, { limit: 10, cursor: all.nextCursor! });
    await documents.due('note', 1_000);
    const [get, first, next, firstOfAll, nextOfAll, due] = plans;
    for (const plan of [get, firstOfAll, nextOfAll]) expect(plan).toMatch(/Index Scan using documents_pkey/);
    for (const plan of [first, next]) expect(plan).toMatch(/Index Scan Backward using documents_newest/);
    expect(due).toMatch(/Index Scan using documents_due/);
    for (const plan of plans) expect(plan).not.toContain('Seq Scan');
  });
});

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, inject } from 'vitest';

/** A database for one test file, and a pool on it. */
export interface TestDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
  /** Opens another pool, as another process would. */
  newPool(config?: pg.PoolConfig): pg.Pool;
}

/** Whether there is a server. Without one its tests are skipped, and the run prints a warning. */
export const hasPostgres = (): boolean => inject('postgresUrl') !== null;

/** Creates a database for the calling test file, and drops it after the tests. */
export async function openDatabase(): Promise<TestDatabase> {
  const serverUrl = inject('postgresUrl');
  if (serverUrl === null) throw new Error('there is no Postgres: ask hasPostgres() first');
  const name = `posthorn_${randomBytes(6).toString('hex')}`;
  await asAdmin(serverUrl, `create database ${name}`);
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  const pools: pg.Pool[] = [];
  const newPool = (config: pg.PoolConfig = {}): pg.Pool => {
    const pool = new pg.Pool({ connectionString: url, ...config });
    // An idle connection that the server ends must not end the test process.
    pool.on('error', () => {});
    pools.push(pool);
    return pool;
  };
  afterAll(async () => {
    await Promise.all(pools.filter((pool) => !pool.ended).map((pool) => pool.end()));
    await asAdmin(serverUrl, `drop database ${name} with (force)`);
  });
  return { url, pool: newPool(), newPool };
}

async function asAdmin(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** Deletes all data, so that each rule finds an empty database. */
export async function empty(pool: Pick<pg.Pool, 'query'>, schema = 'posthorn'): Promise<void> {
  const tables = [
    'webhooks',
    'subscriptions',
    'events',
    'queue',
    'deliveries',
    'attempts',
    'idempotency_keys',
    'api_keys',
    'replays',
    'documents',
  ];
  await pool.query(`truncate ${tables.map((table) => `"${schema}".${table}`).join(', ')}`);
}

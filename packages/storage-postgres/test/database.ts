import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, inject } from 'vitest';

/** A database of its own for one test file, and a pool on it. */
export interface TestDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
  /** Another pool, as another process would have it. */
  newPool(config?: pg.PoolConfig): pg.Pool;
}

/** Whether there is a server at all; without one its tests are skipped, and the run has said so. */
export const hasPostgres = (): boolean => inject('postgresUrl') !== null;

/** Makes a database for the test file that calls it, and drops it afterwards. */
export async function openDatabase(): Promise<TestDatabase> {
  const serverUrl = inject('postgresUrl');
  if (serverUrl === null) throw new Error('there is no Postgres: ask hasPostgres() first');
  const name = `posthorn_${randomBytes(6).toString('hex')}`;
  await asAdmin(serverUrl, `create database ${name}`);
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  const pools: pg.Pool[] = [];
  const newPool = (config: pg.PoolConfig = {}): pg.Pool => {
    const pool = new pg.Pool({ connectionString: url, ...config });
    // Whatever happens to the server in a test ends no process.
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

/** What a rule finds in it: nothing. */
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

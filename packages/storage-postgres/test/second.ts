import { serveStorage } from '@posthorn/testing';
import pg from 'pg';
import { postgresStorage } from '../src/index.js';

/* Run by the storage suite: the second handle on its data, in another process. */

const pools = new Map<string, pg.Pool>();

function poolOf(url: string): pg.Pool {
  const known = pools.get(url);
  if (known) return known;
  // Its application wants every value as the text that Postgres sent.
  const types = { getTypeParser: () => (value: string) => value };
  const pool = new pg.Pool({ connectionString: url, types: types as never });
  // The database of a test file is dropped before this process ends.
  pool.on('error', () => {});
  pools.set(url, pool);
  return pool;
}

serveStorage((url: string, clockOffset) => postgresStorage(poolOf(url), { clockOffset }));

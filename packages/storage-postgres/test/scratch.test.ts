import { storageConformance } from '@posthorn/testing';
import pg from 'pg';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { postgresStorage } from '../src/index.js';

const pool = new pg.Pool({ connectionString: 'postgres://postgres@127.0.0.1:5432/test', max: 10 });
const other = new pg.Pool({ connectionString: 'postgres://postgres@127.0.0.1:5432/test', max: 10 });
const schema = 'scratch_ph';

beforeAll(async () => {
  await pool.query(`drop schema if exists ${schema} cascade`);
  await postgresStorage(pool, { schema }).migrate();
});
afterAll(async () => {
  await pool.end();
  await other.end();
});

storageConformance({
  runner: { describe, test },
  async open() {
    let offset = 0;
    const clockOffset = () => offset;
    await pool.query(
      `truncate ${['webhooks', 'subscriptions', 'events', 'queue', 'deliveries', 'attempts', 'idempotency_keys'].map((t) => `${schema}.${t}`)}`,
    );
    return {
      storage: postgresStorage(pool, { schema, clockOffset }),
      second: postgresStorage(other, { schema, clockOffset }),
      advance: async (ms) => {
        offset += ms;
      },
      async begin() {
        const tx = await pool.connect();
        await tx.query('begin');
        return {
          tx,
          commit: async () => {
            await tx.query('commit');
            tx.release();
          },
          rollback: async () => {
            await tx.query('rollback');
            tx.release();
          },
        };
      },
    };
  },
});

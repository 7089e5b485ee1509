import { type OpenTransaction, storageConformance } from '@posthorn/testing';
import type pg from 'pg';
import { beforeAll, describe, test } from 'vitest';
import { postgresStorage, type Transaction } from '../src/index.js';
import { empty, hasPostgres, openDatabase, type TestDatabase } from './database.js';

describe.skipIf(!hasPostgres())('on Postgres', () => {
  let database: TestDatabase;
  let admin: pg.Pool;
  let pool: pg.Pool;

  beforeAll(async () => {
    database = await openDatabase();
    admin = database.newPool({ max: 1 });
    pool = database.newPool();
    await postgresStorage(pool).migrate();
  });

  storageConformance<Transaction>({
    runner: { describe, test },
    async open() {
      await empty(admin);
      let offset = 0;
      const clockOffset = () => offset;
      const module = new URL('./second.ts', import.meta.url);
      return {
        storage: postgresStorage(pool, { clockOffset }),
        second: {
          module,
          data: database.url,
          execArgv: ['--import', 'tsx', '--conditions=@posthorn/source'],
        },
        advance: async (ms) => {
          offset += ms;
        },
        begin: () => begin(pool),
        async reopen() {
          await endSessions(admin);
          pool = database.newPool();
          return postgresStorage(pool, { clockOffset });
        },
      };
    },
  });
});

/** Terminates all connections of an application, whatever they are doing, as the end of its process would. */
async function endSessions(admin: pg.Pool): Promise<void> {
  await admin.query(`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`);
}

async function begin(pool: pg.Pool): Promise<OpenTransaction<Transaction>> {
  const tx = await pool.connect();
  await tx.query('begin');
  const end = (how: 'commit' | 'rollback') => async () => {
    await tx.query(how);
    tx.release();
  };
  return { tx, commit: end('commit'), rollback: end('rollback') };
}

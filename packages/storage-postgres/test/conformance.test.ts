import { type OpenTransaction, storageConformance } from '@posthorn/testing';
import { beforeAll, describe, test } from 'vitest';
import { postgresStorage, type Transaction } from '../src/index.js';
import { empty, hasPostgres, openDatabase, type TestDatabase } from './database.js';

describe.skipIf(!hasPostgres())('on Postgres', () => {
  let database: TestDatabase;
  let other: ReturnType<TestDatabase['newPool']>;

  beforeAll(async () => {
    database = await openDatabase();
    // Its application wants every value as the text that Postgres sent.
    other = database.newPool({ types: { getTypeParser: () => (value: string) => value } as never });
    await postgresStorage(database.pool).migrate();
  });

  storageConformance<Transaction>({
    runner: { describe, test },
    async open() {
      await empty(database.pool);
      let offset = 0;
      const clockOffset = () => offset;
      return {
        storage: postgresStorage(database.pool, { clockOffset }),
        second: postgresStorage(other, { clockOffset }),
        advance: async (ms) => {
          offset += ms;
        },
        begin: () => begin(database),
      };
    },
  });
});

async function begin({ pool }: TestDatabase): Promise<OpenTransaction<Transaction>> {
  const tx = await pool.connect();
  await tx.query('begin');
  const end = (how: 'commit' | 'rollback') => async () => {
    await tx.query(how);
    tx.release();
  };
  return { tx, commit: end('commit'), rollback: end('rollback') };
}

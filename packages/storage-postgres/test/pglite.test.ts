import { PGlite } from '@electric-sql/pglite';
import { storageConformance } from '@posthorn/testing';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { empty } from './database.js';

describe('on PGlite', () => {
  let db: PGlite;

  beforeAll(async () => {
    db = await PGlite.create();
    await postgresStorage(db).migrate();
  }, 120_000);

  afterAll(() => db.close());

  storageConformance({
    runner: { describe, test },
    async open() {
      await empty(db as never);
      let offset = 0;
      return {
        storage: postgresStorage(db, { clockOffset: () => offset }),
        advance: async (ms) => {
          offset += ms;
        },
        reopen: async () => postgresStorage(db, { clockOffset: () => offset }),
      };
    },
    skip: {
      transactions: 'PGlite has one session: an open transaction would hold up everything else',
      second: 'PGlite is of one process',
    },
  });
});

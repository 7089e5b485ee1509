import { storageConformance } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { kvStorage, sqliteKv } from '../src/index.js';
import { databaseFile, openDatabase } from './database.js';

storageConformance({
  runner: { describe, test },
  async open() {
    const { path, remove } = databaseFile();
    let offset = 0;
    const now = () => Date.now() + offset;
    let database = openDatabase(path);
    return {
      storage: kvStorage(sqliteKv(database), { now }),
      advance: async (ms) => {
        offset += ms;
      },
      second: {
        module: new URL('./second.ts', import.meta.url),
        data: path,
        execArgv: ['--import', 'tsx', '--conditions=@posthorn/source'],
      },
      async reopen() {
        database.close();
        database = openDatabase(path);
        return kvStorage(sqliteKv(database), { now });
      },
      async close() {
        database.close();
        remove();
      },
    };
  },
  skip: {
    transactions: 'a key-value storage takes part in no transaction of the application',
  },
});

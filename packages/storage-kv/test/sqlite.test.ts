import { storageConformance } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { kvStorage, sqliteKv } from '../src/index.js';
import { databaseFile, openers } from './database.js';

describe.each(Object.entries(openers))('on %s', (name, open) => {
  storageConformance({
    runner: { describe, test },
    open: async () => {
      const { path, remove } = databaseFile();
      let offset = 0;
      const now = () => Date.now() + offset;
      let database = open(path);
      return {
        storage: kvStorage(sqliteKv(database), { now }),
        advance: async (ms) => {
          offset += ms;
        },
        second: {
          module: new URL('./second.ts', import.meta.url),
          data: { name, path },
          execArgv: ['--import', 'tsx', '--conditions=@posthorn/source'],
        },
        async reopen() {
          database.close();
          database = open(path);
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
});

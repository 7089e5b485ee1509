import { storageConformance, virtualClock } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { type KvStore, type KvTransaction, kvStorage, memoryKv } from '../src/index.js';

const conflict = new Error('a transaction of another was in the way');

/** Answers with promises, and runs every third transaction twice, as after a conflict. */
function distantKv(): KvStore {
  const store = memoryKv();
  let count = 0;
  const distant = (tx: KvTransaction): KvTransaction => ({
    get: async (key) => tx.get(key),
    range: async (range) => tx.range(range),
    set: async (key, value) => tx.set(key, value),
    delete: async (key) => tx.delete(key),
  });
  return {
    async transact(run) {
      if (count++ % 3 === 0) {
        const first = store.transact(async (tx) => {
          await run(distant(tx));
          throw conflict;
        });
        await first.catch((error) => {
          if (error !== conflict) throw error;
        });
      }
      return store.transact((tx) => run(distant(tx)));
    },
  };
}

describe.each([
  ['in memory', memoryKv],
  ['on a store that is slow and has conflicts', distantKv],
])('%s', (_, newStore) => {
  storageConformance({
    runner: { describe, test },
    async open() {
      const { now, advance } = virtualClock();
      const store = newStore();
      return {
        storage: kvStorage(store, { now }),
        advance: async (ms) => advance(ms),
        reopen: async () => kvStorage(store, { now }),
      };
    },
    skip: {
      transactions: 'a key-value storage takes part in no transaction of the application',
      second: 'memory is of one process',
    },
  });
});

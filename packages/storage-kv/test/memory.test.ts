import { storageConformance, virtualClock } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { kvStorage, memoryKv } from '../src/index.js';

storageConformance({
  runner: { describe, test },
  async open() {
    const clock = virtualClock();
    const store = memoryKv();
    return {
      storage: kvStorage(store, { now: clock.now }),
      advance: async (ms) => clock.advance(ms),
      reopen: async () => kvStorage(store, { now: clock.now }),
    };
  },
  skip: {
    transactions: 'a key-value storage takes part in no transaction of the application',
    second: 'memory is of one process',
  },
});

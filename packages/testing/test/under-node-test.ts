import { describe, test } from 'node:test';
import { memoryStorage } from '@posthorn/storage-memory';
import { storageConformance, virtualClock } from '@posthorn/testing';

/* Run by `node --test`, to show that the suites do not depend on vitest. */

storageConformance({
  runner: { describe, test },
  async open() {
    const clock = virtualClock();
    return { storage: memoryStorage({ now: clock.now }), advance: async (ms) => clock.advance(ms) };
  },
  skip: {
    transactions: 'memory has no transactions to take part in',
    second: 'memory is of one process',
  },
});

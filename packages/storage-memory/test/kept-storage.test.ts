import { storageConformance, virtualClock } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { type Journal, keptStorage } from './kept-storage.js';

/* The rules for durability also hold for the durable storage in which bugs are planted. */

storageConformance({
  runner: { describe, test },
  async open() {
    const clock = virtualClock();
    const journal: Journal = [];
    const open = () => keptStorage(journal, clock.now);
    return { storage: await open(), advance: async (ms) => clock.advance(ms), reopen: open };
  },
  skip: {
    transactions: 'memory has no transactions to take part in',
    second: 'memory is of one process',
    walk: 'it is the memory storage, for which the walk runs already',
  },
});

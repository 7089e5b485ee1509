import { storageConformance, virtualClock } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { type Journal, keptStorage } from './kept-storage.js';

/* The suite's rules for what a process leaves behind hold for the durable storage that bugs are planted in. */

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
    walk: 'it is the memory storage, which has walked',
  },
});

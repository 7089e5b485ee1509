import { storageConformance, virtualClock } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { memoryStorage } from '../src/index.js';

storageConformance({
  runner: { describe, test },
  async open() {
    const clock = virtualClock();
    return {
      storage: memoryStorage({ now: clock.now }),
      advance: async (ms) => clock.advance(ms),
    };
  },
  skip: {
    transactions: 'memory has no transactions to take part in',
    second: 'memory is of one process',
  },
});

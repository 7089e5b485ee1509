import { storageConformance } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { memoryStorage } from '../src/index.js';

storageConformance({
  runner: { describe, test },
  async open() {
    let now = Date.UTC(2026, 10, 23);
    return {
      storage: memoryStorage({ now: () => now }),
      async advance(ms) {
        now += ms;
      },
    };
  },
  skip: { transactions: 'memory has no transactions to take part in' },
});

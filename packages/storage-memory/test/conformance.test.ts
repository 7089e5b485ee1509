import { storageConformance, virtualClock } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { memoryStorage } from '../src/index.js';

storageConformance({
  runner: { describe, test },
  async open() {
    const clock = virtualClock();
    const storage = memoryStorage({ now: clock.now, transactions: true });
    return {
      storage,
      advance: async (ms) => clock.advance(ms),
      async begin() {
        const tx = storage.transaction();
        return { tx, commit: () => tx.commit(), rollback: () => tx.rollback() };
      },
    };
  },
  skip: { second: 'memory is of one process' },
});

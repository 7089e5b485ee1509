import { storageConformance, virtualClock } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { mapStorage } from '../src/map-storage.js';

storageConformance({
  runner: { describe, test },
  async open() {
    const clock = virtualClock();
    return { storage: mapStorage(clock.now), advance: async (ms) => clock.advance(ms) };
  },
  skip: {
    transactions: 'there is no transaction to take part in',
    second: 'its Maps are of one process',
    digests: 'it does not say that it gathers them',
    counts: 'the engine counts page by page',
    replays: 'it makes no deliveries of events that are there already',
  },
});

import { memoryStorage } from '@posthorn/storage-memory';
import { serveStorage } from '../src/index.js';

/* Run by second.test.ts: a storage in another process that shares nothing with the first one's. */

const start = 1_800_000_000_000;

serveStorage((data: { maxBytes: number }, advancedMs) =>
  memoryStorage({ maxBytes: data.maxBytes, now: () => start + advancedMs() }),
);

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kvStorage } from '@posthorn/storage-kv';
import { storageConformance, virtualClock } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { fileKv } from '../src/file-kv.js';

storageConformance({
  runner: { describe, test },
  async open() {
    const { now, advance } = virtualClock();
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-'));
    const path = join(folder, 'posthorn.jsonl');
    let store = fileKv(path);
    return {
      storage: kvStorage(store, { now }),
      advance: async (ms) => advance(ms),
      async reopen() {
        await store.close?.();
        store = fileKv(path);
        return kvStorage(store, { now });
      },
      async close() {
        await store.close?.();
        rmSync(folder, { recursive: true });
      },
    };
  },
  skip: {
    transactions: 'a key-value storage takes part in no transaction of the application',
    second: 'the file is of one process',
  },
});

import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fileKv } from '../src/file-kv.js';

test('a line that was cut off is gone, what was committed before it stays, and what comes after it is read again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-'));
  const path = join(folder, 'posthorn.jsonl');
  try {
    const put = async (key: string, value: string) => {
      const store = fileKv(path);
      await store.transact(async (tx) => tx.set(key, value));
      await store.close?.();
    };
    await put('a', 'ünï');
    appendFileSync(path, '[["b","cut o');
    await put('c', 'after');
    const rows = await fileKv(path).transact(async (tx) => tx.range({ from: '!', before: '~', limit: 10 }));
    expect(rows).toEqual([
      ['a', 'ünï'],
      ['c', 'after'],
    ]);
    expect(readFileSync(path, 'utf8')).not.toContain('cut o');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

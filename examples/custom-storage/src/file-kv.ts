import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import type { KvStore } from '@posthorn/storage-kv';

type Write = readonly [key: string, value: string | null]; // null deletes

/**
 * A key-value store of one process, in a file. Each line holds the writes of one transaction, as JSON. A last line that a
 * crash cut off was never committed.
 */
export function fileKv(path: string): KvStore {
  const values = new Map<string, string>();
  const keys: string[] = []; // sorted

  function placeOf(key: string): number {
    let [low, high] = [0, keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      [low, high] = keys[middle]! < key ? [middle + 1, high] : [low, middle];
    }
    return low;
  }

  function write([key, value]: Write): void {
    if (value === null ? values.delete(key) : !values.has(key)) {
      keys.splice(placeOf(key), Number(value === null), ...(value === null ? [] : [key]));
    }
    if (value !== null) values.set(key, value);
  }

  const stored = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const end = stored.lastIndexOf('\n') + 1;
  if (end < stored.length) truncateSync(path, end);
  for (const line of stored.toString('utf8', 0, end).split('\n').slice(0, -1))
    JSON.parse(line).forEach(write);
  let file: number | undefined = openSync(path, 'a');

  return {
    async transact(run) {
      const writes: Write[] = [];
      const result = await run({
        get: (key) => values.get(key),
        range({ from, before, limit, reverse }) {
          const found = keys.slice(placeOf(from), placeOf(before));
          return (reverse ? found.reverse() : found).slice(0, limit).map((key) => [key, values.get(key)!]);
        },
        set: (key, value) => writes.push([key, value]),
        delete: (key) => writes.push([key, null]),
      });
      if (file === undefined) throw new Error(`${path} is closed`);
      // From here on the writes survive a crash of the process. To survive a crash of the machine, add fdatasync.
      if (writes.length > 0) writeSync(file, `${JSON.stringify(writes)}\n`);
      writes.forEach(write);
      return result;
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

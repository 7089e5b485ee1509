import { SortedMap } from './space/sorted-map.js';
import type { KvRow, KvStore } from './store.js';

/** An ordered key-value store in this process, for tests: all is gone with the process. The shortest that is right. */
export function memoryKv(): KvStore {
  const rows = new SortedMap<string>();
  let last: Promise<unknown> = Promise.resolve();

  async function transact<T>(run: Parameters<KvStore['transact']>[0]): Promise<T> {
    const writes: (() => void)[] = [];
    const result = await run({
      get: (key) => rows.get(key),
      range({ from, before, limit, reverse = false }) {
        const found: KvRow[] = [];
        for (const row of reverse ? rows.reverseRange(from, before) : rows.range(from, before)) {
          if (found.push(row) === limit) break;
        }
        return found;
      },
      set: (key, value) => writes.push(() => rows.set(key, value)),
      delete: (key) => writes.push(() => rows.delete(key)),
    });
    for (const write of writes) write();
    return result as T;
  }

  return {
    isVolatile: true,
    // One after the other.
    transact<T>(run: Parameters<KvStore['transact']>[0]) {
      const result = last.then(() => transact<T>(run));
      last = result.catch(() => {});
      return result;
    },
  };
}

import type { StorageAdapter } from '@posthorn/core';
import { memoryStorage } from '../src/index.js';

/** A recorded call, with its time. */
interface Call {
  readonly part: Part;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly at: number;
}

/** The recorded calls, in order. They survive the end of a process. */
export type Journal = Call[];

type Part = 'webhooks' | 'deliveries' | 'log' | 'documents';
type Method = (...args: readonly unknown[]) => Promise<unknown>;

/** The methods that write. */
const written: Readonly<Record<Part, readonly string[]>> = {
  webhooks: ['create', 'update', 'delete'],
  deliveries: ['publish', 'claim', 'begin', 'renew', 'settle', 'backfill'],
  log: ['transition', 'prune'],
  documents: ['put', 'due'],
};

/**
 * The memory storage with a journal: each writing call is recorded before it runs. Opening the storage repeats all
 * recorded calls at their recorded times. It serves as the durable storage that proves the suite.
 */
export async function keptStorage(journal: Journal, now: () => number): Promise<StorageAdapter<never>> {
  let replayedAt: number | undefined;
  const { isVolatile: _, ...memory } = memoryStorage({ now: () => replayedAt ?? now() });
  const storage = memory as unknown as Record<Part, Record<string, Method>>;
  for (const { part, method, args, at } of journal) {
    replayedAt = at;
    // A call that was refused is refused again.
    await storage[part][method]!(...args).catch(() => {});
  }
  replayedAt = undefined;

  const kept = { ...storage };
  for (const [part, methods] of Object.entries(written) as [Part, readonly string[]][]) {
    const calls = methods.map((method): [string, Method] => [
      method,
      async (...args) => {
        journal.push({ part, method, args: structuredClone(args), at: now() });
        return storage[part][method]!(...args);
      },
    ]);
    kept[part] = { ...storage[part], ...Object.fromEntries(calls) };
  }
  return { ...memory, ...kept } as unknown as StorageAdapter<never>;
}

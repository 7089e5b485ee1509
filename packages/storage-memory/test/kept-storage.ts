import type { Storage } from '@posthorn/core';
import { memoryStorage } from '../src/index.js';

/** A call as it was written down, and the instant it was made at. */
interface Call {
  readonly part: Part;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly at: number;
}

/** What outlives a process: all that was written down, first to last. */
export type Journal = Call[];

type Part = 'webhooks' | 'deliveries' | 'log' | 'documents';
type Method = (...args: readonly unknown[]) => Promise<unknown>;

/** What changes something. */
const written: Readonly<Record<Part, readonly string[]>> = {
  webhooks: ['create', 'update', 'delete'],
  deliveries: ['publish', 'claim', 'begin', 'renew', 'settle', 'backfill'],
  log: ['transition', 'prune'],
  documents: ['put', 'due'],
};

/**
 * The memory storage with a journal: each call that changes something is written down before it is made, and whoever
 * opens it has all of them made again, at the instants of then. A storage that is durable, for proving the suite.
 */
export async function keptStorage(journal: Journal, now: () => number): Promise<Storage<never>> {
  let replayedAt: number | undefined;
  const { isVolatile: _, ...memory } = memoryStorage({ now: () => replayedAt ?? now() });
  const storage = memory as unknown as Record<Part, Record<string, Method>>;
  for (const { part, method, args, at } of journal) {
    replayedAt = at;
    // What was refused then is refused again.
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
  return { ...memory, ...kept } as unknown as Storage<never>;
}

import { pathToFileURL } from 'node:url';
import { type OpenedStorage, type OpenTransaction, storageRules, virtualClock } from '@posthorn/testing';
import type { memoryStorage } from '../src/index.js';
import type { Journal, keptStorage } from './kept-storage.js';

/*
 * Run by scripts/plant-bugs.ts. Takes entry files, each of a copy of this package's sources. Prints one line of JSON
 * for each: the first rule that the copy breaks, or null.
 */

const ruleLimitMs = 3_000;

// The stacks of thousands of expected errors are not read, and mapping them to the sources takes most of the time.
Error.stackTraceLimit = 0;

async function holds(run: () => Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ruleLimitMs);
  });
  const proof = run().then(
    () => true,
    () => false,
  );
  return Promise.race([proof, late]).finally(() => clearTimeout(timer));
}

/** The exports of a copy's entry: the memory storage, or the durable one built on it. */
interface Copy {
  readonly memoryStorage?: typeof memoryStorage;
  readonly keptStorage?: typeof keptStorage;
}

/** Neither storage has a second process. For the durable one, only what it adds is tested. */
const isProven = (topic: string, { keptStorage: isDurable }: Copy): boolean =>
  isDurable ? topic === 'durability' || topic === 'cut-off' : topic !== 'second';

async function openedOf({ memoryStorage, keptStorage }: Copy): Promise<OpenedStorage> {
  const clock = virtualClock();
  const advance = async (ms: number): Promise<void> => clock.advance(ms);
  if (memoryStorage) {
    const storage = memoryStorage({ now: clock.now, transactions: true });
    const begin = async (): Promise<OpenTransaction> => {
      const tx = storage.transaction();
      return { tx, commit: () => tx.commit(), rollback: () => tx.rollback() };
    };
    return { storage, advance, begin };
  }
  const journal: Journal = [];
  const reopen = () => keptStorage!(journal, clock.now);
  return { storage: await reopen(), advance, reopen };
}

async function firstBroken(copy: Copy): Promise<string | null> {
  for (const { topic, title, run } of storageRules) {
    if (!isProven(topic, copy)) continue;
    if (!(await holds(async () => run(await openedOf(copy))))) return `${topic}: ${title}`;
  }
  return null;
}

for (const file of process.argv.slice(2)) {
  console.log(JSON.stringify(await firstBroken((await import(pathToFileURL(file).href)) as Copy)));
}

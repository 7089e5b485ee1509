import { pathToFileURL } from 'node:url';
import { storageRules, virtualClock } from '@posthorn/testing';
import type { memoryStorage } from '../src/index.js';

/*
 * Run by scripts/plant-bugs.ts. Takes entry files, each that of a copy of this package's sources, and prints for each
 * a line of JSON: the first rule that it breaks, or null.
 */

const ruleLimitMs = 3_000;

// Nobody reads the stacks of some thousand expected errors, and mapping them to the sources takes most of the time.
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

async function firstBroken(createStorage: typeof memoryStorage): Promise<string | null> {
  for (const { topic, title, run } of storageRules) {
    if (topic === 'transactions') continue;
    const clock = virtualClock();
    const storage = createStorage({ now: clock.now });
    const advance = async (ms: number): Promise<void> => clock.advance(ms);
    if (!(await holds(() => run({ storage, advance })))) return `${topic}: ${title}`;
  }
  return null;
}

for (const file of process.argv.slice(2)) {
  const copy = (await import(pathToFileURL(file).href)) as { memoryStorage: typeof memoryStorage };
  console.log(JSON.stringify(await firstBroken(copy.memoryStorage)));
}

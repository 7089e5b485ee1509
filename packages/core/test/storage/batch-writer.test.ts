import { describe, expect, test } from 'vitest';
import { PosthornError } from '../../src/errors.js';
import { batchKeyedCalls } from '../../src/storage/batch-keyed-calls.js';
import { batchCalls } from '../../src/storage/batch-writer.js';

const refusal = new PosthornError('idempotency_conflict', 'it is the fault of one');
const inUse = new PosthornError('idempotency_key_in_use', 'it is held');

describe('A batch of several calls that fails', () => {
  test('is written again in halves, down to the call that causes the failure', async () => {
    const writes: string[][] = [];
    const write = async (items: readonly string[]) => {
      writes.push([...items]);
      if (items.includes('bad')) throw refusal;
      return items.map((item) => item.toUpperCase());
    };
    const gathered = batchCalls(write, { maxItems: 1_000, shouldSplit: (error) => error === refusal });
    const names = Array.from({ length: 64 }, (_, n) => (n === 40 ? 'bad' : `call ${n}`));
    const answers = await Promise.allSettled(names.map((name) => gathered([name])));
    for (const [n, answer] of answers.entries()) {
      if (n === 40) expect(answer).toEqual({ status: 'rejected', reason: refusal });
      else expect(answer).toEqual({ status: 'fulfilled', value: [names[n]!.toUpperCase()] });
    }
    // The whole batch, and two halves on each of six levels; not one write per call.
    expect(writes.length).toBeLessThanOrEqual(14);
  });

  test('is not written again where no single call causes the failure', async () => {
    let writes = 0;
    const gathered = batchCalls(
      async () => {
        writes++;
        throw refusal;
      },
      { maxItems: 10 },
    );
    await Promise.allSettled([gathered(['a']), gathered(['b'])]);
    expect(writes).toBeLessThanOrEqual(2);
  });
});

describe('A call whose key is held', () => {
  const shouldSplit = () => true;

  test('is retried apart from the others, which do not wait for it', async () => {
    const held = new Set(['held']);
    const ways: boolean[] = [];
    const write = async (items: readonly string[], { isHeld }: { isHeld: boolean }) => {
      if (items.includes('held')) ways.push(isHeld);
      if (items.some((item) => held.has(item))) throw inUse;
      return items;
    };
    const gathered = batchKeyedCalls(write, { maxItems: 1_000, shouldSplit });
    const waiting = gathered(['held']);
    for (let n = 0; n < 20; n++) expect(await gathered([`other ${n}`])).toEqual([`other ${n}`]);
    held.clear();
    expect(await waiting).toEqual(['held']);
    expect(ways.at(-1)).toBe(true);
  });

  test('fails after half a minute', async () => {
    let now = 0;
    let writes = 0;
    const gathered = batchKeyedCalls(
      async () => {
        writes++;
        now += 10_000;
        throw inUse;
      },
      { maxItems: 1_000, shouldSplit, monotonic: () => now },
    );
    await expect(gathered(['held'])).rejects.toBe(inUse);
    expect(writes).toBe(4);
  });

  test('fails at once with any other error', async () => {
    const gathered = batchKeyedCalls(async () => Promise.reject(refusal), { maxItems: 1_000, shouldSplit });
    await expect(gathered(['call'])).rejects.toBe(refusal);
  });
});

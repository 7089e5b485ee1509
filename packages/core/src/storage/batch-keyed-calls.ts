import { setTimeout } from 'node:timers/promises';
import { isPosthornError } from '../errors.js';
import { type BatchCallsOptions, batchCalls } from './batch-writer.js';

/** How a batch of calls with idempotency keys is written. */
export interface KeyedWrite {
  /** How long the write waits for a key that an open transaction holds. */
  readonly keyWaitMs: number;
  /** Whether the call was rejected before, because an open transaction held its key. */
  readonly isHeld: boolean;
}

/** Another call of the engine usually releases the key within this time. */
const keyWaitMs = 25;
/** How long a call keeps trying: as long as a statement may take by default. */
const retryForMs = 30_000;

/**
 * Turns calls with idempotency keys into batches, as `batchCalls` does. An open transaction may hold a key for a long
 * time. Only the call with that key waits for it, for up to 30 s. Then the call rejects with `idempotency_key_in_use`,
 * and nothing is stored.
 */
export function batchKeyedCalls<Item, Result>(
  write: (items: readonly Item[], how: KeyedWrite) => Promise<readonly Result[]>,
  options: BatchCallsOptions & { readonly monotonic?: () => number },
): (items: readonly Item[]) => Promise<readonly Result[]> {
  const { monotonic = () => performance.now() } = options;
  const together = batchCalls(
    (items: readonly Item[]) => write(items, { keyWaitMs, isHeld: false }),
    options,
  );
  // Held calls are tried again one at a time, so that together they never occupy more than one connection.
  const held = batchCalls((items: readonly Item[]) => write(items, { keyWaitMs, isHeld: true }), {
    maxItems: 1,
  });
  return async (items) => {
    const end = monotonic() + retryForMs;
    for (let tries = 0; ; tries++) {
      try {
        return await (tries === 0 ? together : held)(items);
      } catch (error) {
        if (!isHeldKey(error) || monotonic() > end) throw error;
      }
      await setTimeout(Math.min(10 * 2 ** tries, 250) * (0.5 + Math.random() / 2));
    }
  };
}

const isHeldKey = (error: unknown): boolean =>
  isPosthornError(error) && error.code === 'idempotency_key_in_use';

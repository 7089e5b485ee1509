import { setTimeout } from 'node:timers/promises';
import { isPosthornError } from '../errors.js';
import { type BatchCallsOptions, batchCalls } from './batch-writer.js';

export interface KeyedWrite {
  /** How long the write waits for a key that an open transaction holds. */
  readonly keyWaitMs: number;
  /** Whether it was refused for such a key before. */
  readonly isHeld: boolean;
}

/** Another call of the engine that has the key is mostly over sooner. */
const keyWaitMs = 25;
/** How long a call goes on asking: as long as a statement may take by default. */
const patienceMs = 30_000;

/**
 * Turns calls with idempotency keys into batches, as `gather` does. A transaction that stays open may hold a key for
 * long: the call that wants it waits for that, up to 30 s, and no other does. Then it rejects with
 * `idempotency_key_in_use`, with nothing stored.
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
  // However many are held, one of them at a time asks again: they never take more than one connection from the others.
  const held = batchCalls((items: readonly Item[]) => write(items, { keyWaitMs, isHeld: true }), {
    maxItems: 1,
  });
  return async (items) => {
    const end = monotonic() + patienceMs;
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

import type { Attempt, Delivery } from '@posthorn/core';
import type { Claim } from '@posthorn/core/storage';
import { same } from '../assertions.js';
import type { StorageUnderTest } from './harness.js';
import { acme, deliveryOf, release, result } from './sample.js';

/** Returns the recorded attempts. */
export const attemptsOf = ({ storage }: StorageUnderTest, id: string): Promise<readonly Attempt[]> =>
  storage.log.attempts(acme, id);

/** Returns everything that is stored of a delivery, to check that nothing was written. */
async function recordOf(under: StorageUnderTest, id: string): Promise<[Delivery, readonly Attempt[]]> {
  return [await deliveryOf(under.storage, id), await attemptsOf(under, id)];
}

/** Passes where a settlement of `stale` is refused and changes nothing. */
export async function refuses(under: StorageUnderTest, stale: Claim): Promise<void> {
  const before = await recordOf(under, stale.deliveryId);
  for (const next of ['delivered', 'dead', 'cancelled'] as const) {
    same(await under.storage.deliveries.settle([result(stale, next)]), [false], `settling as ${next}`);
  }
  const retry = result(stale, { status: 'pending', delayMs: 0 });
  same(await under.storage.deliveries.settle([retry, release(stale)]), [false, false]);
  same(await recordOf(under, stale.deliveryId), before);
}

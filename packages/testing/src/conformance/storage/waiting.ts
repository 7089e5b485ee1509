import type { StorageAdapter } from '@posthorn/core';
import { claim, claimAll, hourMs, result, settleAll } from './sample.js';

/** The events of the claims, in the order in which they are claimed one at a time. */
export async function eventsClaimed(storage: StorageAdapter<unknown>): Promise<string[]> {
  const ids: string[] = [];
  for (let [next] = await claim(storage, { limit: 1 }); next; [next] = await claim(storage, { limit: 1 })) {
    ids.push(next.event.id);
    await settleAll(storage, [result(next, 'delivered')]);
  }
  return ids;
}

/** A delivery that has failed once, and waits for an hour. */
export async function waiting(storage: StorageAdapter<unknown>): Promise<string> {
  const [claimed] = await claimAll(storage);
  await settleAll(storage, [result(claimed!, { status: 'pending', delayMs: hourMs })]);
  return claimed!.deliveryId;
}

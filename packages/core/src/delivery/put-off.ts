import { waitsFor } from '../models/escalation.js';
import type { ChannelBinding } from '../models/models.js';
import type { RetryPolicy } from './decide.js';

/*
 * A delivery is put off where its receiver is busy, or this process has no channel of its type: it is given back for a
 * while, and nothing has failed. It cannot be put off for ever, and whoever is to hear of a failure hears of this, too.
 */

/** So long may a delivery be put off: a receiver that is busy for longer is as good as down. */
export const maxPutOffMs = 86_400_000;
/** How long what has no channel here is left to others: for longer each time. */
const minAbsentMs = 500;
const maxAbsentMs = 60_000;

/**
 * How long to leave a delivery that has been put off for so long to another process, which may have its channel: one that
 * is being deployed, or one of those that have others. Undefined where that has lasted for too long.
 */
export function delayWithoutChannel(putOffMs: number, random: number): number | undefined {
  if (putOffMs > maxPutOffMs) return undefined;
  return Math.round(Math.min(Math.max(putOffMs / 4, minAbsentMs), maxAbsentMs) * (0.5 + random));
}

/** A receiver gets through most bursts in so long: nobody is told of a failure before. */
const burstMs = 120_000;

/** How long a delivery must have been put off to count as failed so many times: until that many waits are over. */
function failedAfterMs(times: number, { scheduleMs }: RetryPolicy): number {
  const waitedMs = scheduleMs.slice(0, times).reduce((sum, ms) => sum + ms, 0);
  return times === 0 ? 0 : Math.max(waitedMs, burstMs);
}

/** As how many failures it counts to have been put off for so long. */
export function triesWithin(putOffMs: number, retry: RetryPolicy): number {
  let tries = 0;
  while (tries < retry.scheduleMs.length && failedAfterMs(tries + 1, retry) <= putOffMs) tries++;
  return tries;
}

/** How long until one more of the bindings that wait for this one would have begun, had it failed: infinitely where none would. */
export function nextEscalation(
  binding: ChannelBinding,
  bindings: readonly ChannelBinding[],
  putOffMs: number,
  retry: RetryPolicy,
): number {
  const waits = bindings
    .filter((other) => other.id !== binding.id && waitsFor(other, binding))
    .map(({ onlyAfter }) => Math.ceil(failedAfterMs(onlyAfter!.failedAttempts, retry) - putOffMs));
  return Math.min(...waits.filter((ms) => ms > 0));
}

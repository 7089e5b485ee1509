import { waitsFor } from '../models/escalation.js';
import type { ChannelBinding } from '../models/webhook.js';
import type { RetryPolicy } from './retry-policy.js';

/*
 * A delivery is deferred where its receiver is rate limited, or where this process has no channel of its type. It is
 * released for a while, and that counts as no failure. Deferral is limited in time, and leads to escalation as failures do.
 */

/** The longest deferral. A receiver that is rate limited for longer counts as down. */
export const maxDeferralMs = 86_400_000;
/** Bounds of the delay of a delivery without a channel here. The delay grows each time. */
const minAbsentMs = 500;
const maxAbsentMs = 60_000;

/**
 * The delay before this process tries again a delivery whose channel it lacks. Another process may have it: one with other
 * channels, or a version that is being deployed. Undefined once the delivery has been deferred for too long.
 */
export function delayWithoutChannel(deferredMs: number, random: number): number | undefined {
  if (deferredMs > maxDeferralMs) return undefined;
  return Math.round(Math.min(Math.max(deferredMs / 4, minAbsentMs), maxAbsentMs) * (0.5 + random));
}

/** Most receivers get through a burst in this time. Escalation does not begin before. */
const burstMs = 120_000;

/** How long a deferral counts as `times` failures: as long as that many waits of the schedule. */
function failedAfterMs(times: number, { scheduleMs }: RetryPolicy): number {
  const waitedMs = scheduleMs.slice(0, times).reduce((sum, ms) => sum + ms, 0);
  return times === 0 ? 0 : Math.max(waitedMs, burstMs);
}

/** As how many failures a deferral of this length counts. */
export function triesWithin(deferredMs: number, retry: RetryPolicy): number {
  let tries = 0;
  while (tries < retry.scheduleMs.length && failedAfterMs(tries + 1, retry) <= deferredMs) tries++;
  return tries;
}

/** How long until the next binding with `onlyAfter` this one would begin, counting the deferral as failures. Infinity where none would. */
export function nextEscalation(
  binding: ChannelBinding,
  bindings: readonly ChannelBinding[],
  deferredMs: number,
  retry: RetryPolicy,
): number {
  const waits = bindings
    .filter((other) => other.id !== binding.id && waitsFor(other, binding))
    .map(({ onlyAfter }) => Math.ceil(failedAfterMs(onlyAfter!.failedAttempts, retry) - deferredMs));
  return Math.min(...waits.filter((ms) => ms > 0));
}

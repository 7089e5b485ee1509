import { refuse } from './refusal.js';

export interface RateLimitOptions {
  /** How many calls a second, on average. */
  readonly perSecond: number;
  /** How many at once after a quiet time. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** A caller that is forgotten begins anew with a full bucket: enough are kept that no real set of callers gets there. */
const maxCallers = 10_000;

/**
 * Takes one call of `caller`; refuses (429) where it has had too many, in this process. `now` is in milliseconds.
 */
export function rateLimit(
  { perSecond, burst }: RateLimitOptions,
  now: () => number,
): (caller: string) => void {
  const buckets = new Map<string, Bucket>();
  return (caller) => {
    const at = now();
    const known = buckets.get(caller);
    const tokens = known
      ? Math.min(burst, known.tokens + (Math.max(0, at - known.at) * perSecond) / 1000)
      : burst;
    // The one that was used last stands last, so that the first is the one to forget.
    buckets.delete(caller);
    if (buckets.size >= maxCallers) buckets.delete(buckets.keys().next().value!);
    buckets.set(caller, { tokens: tokens >= 1 ? tokens - 1 : tokens, at });
    if (tokens >= 1) return;
    const seconds = Math.ceil((1 - tokens) / perSecond);
    throw refuse(429, `too many calls; try again in ${seconds} s`, {}, { 'retry-after': String(seconds) });
  };
}

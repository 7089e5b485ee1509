import { refuse } from './refusal.js';

/** How many requests a caller may make, and how fast. */
export interface RateLimitOptions {
  /** Calls per second, on average. */
  readonly perSecond: number;
  /** How many calls may come at once after a quiet time. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** A caller beyond this number starts again with a full bucket. The number is higher than any real set of callers. */
const maxCallers = 10_000;

/**
 * Returns a token bucket per caller, in this process. Each call takes a token; without one it is refused (429). `now`
 * is in milliseconds.
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
    // The most recently used bucket is last, so the first one is evicted.
    buckets.delete(caller);
    if (buckets.size >= maxCallers) buckets.delete(buckets.keys().next().value!);
    buckets.set(caller, { tokens: tokens >= 1 ? tokens - 1 : tokens, at });
    if (tokens >= 1) return;
    const seconds = Math.ceil((1 - tokens) / perSecond);
    throw refuse(429, `too many calls; try again in ${seconds} s`, {}, { 'retry-after': String(seconds) });
  };
}

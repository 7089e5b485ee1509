import { type ChannelBinding, defaultDigestBytes } from '../models/webhook.js';

/** The limits of one digest of a binding. */
export interface DigestLimits {
  /** How long events gather after the first one, in milliseconds. */
  readonly windowMs: number;
  /** The most events in one digest. */
  readonly maxEvents: number;
  /** The most bytes of payload in one digest of several events. */
  readonly maxBytes: number;
}

/** The limits of the binding's digests. Undefined for a binding without digests, or one that no longer exists. */
export function digestLimits(binding: Pick<ChannelBinding, 'digest'> | undefined): DigestLimits | undefined {
  const digest = binding?.digest;
  if (!digest) return undefined;
  const { window, maxEvents, maxBytes = defaultDigestBytes } = digest;
  return { windowMs: Number(window), maxEvents, maxBytes };
}

/** Whether the gathered events fill a digest, so that it is due before its window ends. */
export const isDigestFull = (
  { count, bytes }: { readonly count: number; readonly bytes: number },
  { maxEvents, maxBytes }: DigestLimits,
): boolean => count >= maxEvents || bytes >= maxBytes;

/**
 * Counts how many of the earliest events form one digest: as many as fit, and at least one. `bytesOfEach` has the
 * payload sizes of the events, oldest first.
 */
export function digestSize(
  bytesOfEach: Iterable<number>,
  { maxEvents, maxBytes }: Pick<DigestLimits, 'maxEvents' | 'maxBytes'>,
): number {
  let count = 0;
  let sum = 0;
  for (const bytes of bytesOfEach) {
    sum += bytes;
    if (count === maxEvents || (count > 0 && sum > maxBytes)) break;
    count++;
  }
  return count;
}

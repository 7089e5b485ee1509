import { type ChannelBinding, defaultDigestBytes } from '../models/webhook.js';

/** How much one digest of a binding gathers, and for how long. */
export interface DigestLimits {
  readonly windowMs: number;
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** Undefined where the binding wants no digests, or is gone. */
export function digestLimits(binding: Pick<ChannelBinding, 'digest'> | undefined): DigestLimits | undefined {
  const digest = binding?.digest;
  if (!digest) return undefined;
  const { window, maxEvents, maxBytes = defaultDigestBytes } = digest;
  return { windowMs: Number(window), maxEvents, maxBytes };
}

/** Whether what gathers is enough for a digest before its window is over. */
export const isDigestFull = (
  { count, bytes }: { readonly count: number; readonly bytes: number },
  { maxEvents, maxBytes }: DigestLimits,
): boolean => count >= maxEvents || bytes >= maxBytes;

/** How many of the earliest are one digest, by the bytes of their payloads: as many as fit, and at least one. */
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

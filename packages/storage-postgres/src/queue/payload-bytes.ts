import type { NewEvent } from '@posthorn/core';

/**
 * All payloads as one piece of bytes, which cost less than as many texts, and where each begins in it, from 1; last where
 * there would be one more.
 */
export function payloadsOf(events: readonly NewEvent[]): { bytes: Buffer; starts: number[] } {
  const starts = [1];
  for (const { payload } of events) starts.push(starts.at(-1)! + Buffer.byteLength(payload));
  const bytes = Buffer.allocUnsafe(starts.at(-1)! - 1);
  for (const [n, { payload }] of events.entries()) bytes.write(payload, starts[n]! - 1);
  return { bytes, starts };
}

import type { NewEvent } from '@posthorn/core/storage';

/**
 * Joins all payloads into one byte array, which costs less than separate texts. `starts` has the position where each
 * begins, from 1, followed by the position after the last one.
 */
export function payloadsOf(events: readonly NewEvent[]): { bytes: Buffer; starts: number[] } {
  const starts = [1];
  for (const { payload } of events) starts.push(starts.at(-1)! + Buffer.byteLength(payload));
  const bytes = Buffer.allocUnsafe(starts.at(-1)! - 1);
  for (const [n, { payload }] of events.entries()) bytes.write(payload, starts[n]! - 1);
  return { bytes, starts };
}

import { onTestFinished } from 'vitest';
import { createOutbound, type Outbound, type OutboundOptions } from '../src/index.js';

/** A client for plain HTTP with short times, closed when the test is over. */
export function client(options: OutboundOptions = {}): Outbound {
  const outbound = createOutbound({
    policy: { allowHttp: true, allowHosts: ['127.0.0.1'] },
    timeoutMs: 2_000,
    ...options,
  });
  onTestFinished(() => outbound.close());
  return outbound;
}

/**
 * How many milliseconds ago a timer fired that was set now for `timeoutMs`; 0 until then. On a busy machine every timer of
 * a process is late, so that what ends by one is measured by another.
 */
export function overdue(timeoutMs: number): () => number {
  let due = Number.POSITIVE_INFINITY;
  const timer = setTimeout(() => {
    due = performance.now();
  }, timeoutMs);
  onTestFinished(() => clearTimeout(timer));
  return () => Math.max(0, performance.now() - due);
}

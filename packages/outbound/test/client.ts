import { onTestFinished } from 'vitest';
import { createOutbound, type Outbound, type OutboundOptions } from '../src/index.js';

/** Creates a client for plain HTTP with short timeouts. It is closed when the test ends. */
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
 * Starts a timer of `timeoutMs` and returns a function that gets the milliseconds since it fired (0 until then). Timers
 * are late on a busy machine, so a test measures one timeout by another.
 */
export function overdue(timeoutMs: number): () => number {
  let due = Number.POSITIVE_INFINITY;
  const timer = setTimeout(() => {
    due = performance.now();
  }, timeoutMs);
  onTestFinished(() => clearTimeout(timer));
  return () => Math.max(0, performance.now() - due);
}

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

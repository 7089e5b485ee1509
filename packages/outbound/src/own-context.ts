import { AsyncResource } from 'node:async_hooks';
import { channel, subscribe } from 'node:diagnostics_channel';

/*
 * A request is made for an event, not for the application code that happens to run at that moment. That code's trace
 * and baggage may name users and must not reach the receiver. Therefore requests run in an async context of their own,
 * and headers that instrumentation such as OpenTelemetry adds when undici creates a request are removed again.
 */

const own = new AsyncResource('PosthornOutbound');

/** The number of header entries of the request that is being created; undefined while none is. */
let ownHeaderCount: number | undefined;

/** undici publishes each request here when it creates it. */
const requests = channel('undici:request:create');

let isListening = false;

/** Calls `make`, which passes a request with these headers (alternating names and values) to undici. */
export function inOwnContext(headers: readonly unknown[], make: () => void): void {
  // Without other subscribers there is nothing to remove, and undici creates requests faster.
  if (requests.hasSubscribers && !isListening) {
    subscribe('undici:request:create', removeAddedHeaders);
    isListening = true;
  }
  const before = ownHeaderCount;
  ownHeaderCount = headers.length;
  try {
    own.runInAsyncScope(make);
  } finally {
    ownHeaderCount = before;
  }
}

/** The part of undici's request that instrumentation changes. */
interface MadeRequest {
  readonly headers: unknown[];
  addHeader(name: string, value: string): unknown;
}

/** Removes headers that earlier subscribers added, and keeps later ones from adding any. */
function removeAddedHeaders(message: unknown): void {
  if (ownHeaderCount === undefined) return;
  const { request } = message as { readonly request: MadeRequest };
  request.headers.length = ownHeaderCount;
  request.addHeader = () => request;
}

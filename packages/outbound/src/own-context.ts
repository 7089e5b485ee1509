import { AsyncResource } from 'node:async_hooks';
import { channel, subscribe } from 'node:diagnostics_channel';

/*
 * Requests are made on behalf of an event, not of whatever code of the application happened to be running: its trace and
 * its baggage, which may name its users, are not for the receiver. So requests are made in a context of their own, and
 * what instruments of the application, such as OpenTelemetry's, add to them as undici makes them is taken off again.
 */

const own = new AsyncResource('PosthornOutbound');

/** How many entries the headers have of the request that is being made; undefined while none is. */
let given: number | undefined;

/** undici tells here of each request as it makes it. */
const requests = channel('undici:request:create');

let isListening = false;

/** Calls `make`, which hands a request with these headers, names and values in turn, to undici. */
export function inOwnContext(headers: readonly unknown[], make: () => void): void {
  // While nobody else listens, there is nothing to take off, and undici makes its requests faster.
  if (requests.hasSubscribers && !isListening) {
    subscribe('undici:request:create', keepAsGiven);
    isListening = true;
  }
  const before = given;
  given = headers.length;
  try {
    own.runInAsyncScope(make);
  } finally {
    given = before;
  }
}

/** Of undici's request, what instruments add to. */
interface MadeRequest {
  readonly headers: unknown[];
  addHeader(name: string, value: string): unknown;
}

/** Others may have heard of the request before, or may yet. */
function keepAsGiven(message: unknown): void {
  if (given === undefined) return;
  const { request } = message as { readonly request: MadeRequest };
  request.headers.length = given;
  request.addHeader = () => request;
}

import type { LookupFunction } from 'node:net';
import { isPosthornError, PosthornError } from '@posthorn/core';
import { type Cancellation, describeType, parseOptions } from '@posthorn/core/channel';
import type { HttpRequest } from './client.js';
import type { Destination } from './connection.js';
import { Exchange, type OutboundResult } from './exchange.js';
import { failure, failureOf } from './failure.js';
import { createGuard, type Target } from './guard.js';
import { sendableHeaders } from './headers.js';
import { checkTimeout, type OutboundOptions, settingsOf } from './options.js';
import type { OutboundPolicy } from './policy.js';
import { createPools } from './pools.js';
import { type OutboundTls, type Trust, trustOf } from './trust.js';

/** One request of an outbound client. */
export interface OutboundRequest {
  readonly url: string;
  /** Default `POST`. */
  readonly method?: string;
  /**
   * An object by name, or alternating names and values. Pass headers that a tenant chose through `checkHeaders` first.
   */
  readonly headers?: Readonly<Record<string, string>> | readonly string[];
  readonly body?: string | Uint8Array;
  /** Default: the client's timeout. */
  readonly timeoutMs?: number;
  /**
   * A client certificate and authorities to trust for this request. Only requests with equal settings share
   * connections. Reuse one object for all requests that need it: each object is parsed once.
   */
  readonly tls?: OutboundTls | undefined;
  /**
   * Whether the request may reach the receiver twice. If a kept connection ends before a byte of the response, such a
   * request is sent again immediately, over a new connection: receivers close idle connections without notice (RFC 9110
   * §9.2.2). Default: true for the methods that are idempotent by RFC 9110, i.e. all except `POST` and `PATCH`.
   */
  readonly idempotent?: boolean;
  /** Ends the request with `aborted`. An AbortSignal, or any object with that part of its interface. */
  readonly signal?: Cancellation;
}

/** The HTTP client for all requests to URLs that tenants choose. */
export interface Outbound {
  /**
   * Checks a URL as a request to it would be checked now, without sending one. Resolves to the addresses that a request
   * could go to: those of both families, found within the connect timeout; none if a proxy resolves names. Rejects with
   * `url_invalid`, `url_scheme`, `url_credentials`, `url_port`, `address_forbidden`, or `url_unresolvable` if the name
   * has no address.
   */
  checkUrl(url: string): Promise<readonly string[]>;
  /**
   * Sends one request: no redirects, cookies or decompression, no proxy except the policy's, and no retry except the
   * one of `idempotent`. Whatever the network or the receiver does, it resolves within the timeout; also for an address
   * that the guard refuses. It rejects only for an invalid request, before anything is sent: `url_invalid`,
   * `url_scheme`, `url_credentials`, `url_port`, `invalid_header`, `invalid_option`.
   */
  request(request: OutboundRequest): Promise<OutboundResult>;
  /** Refuses new requests (they end with `config`), waits for those in flight, and closes every connection. */
  close(): Promise<void>;
}

/** A validated request, ready to be sent. */
interface Prepared {
  readonly destination: Destination;
  readonly message: HttpRequest;
  readonly timeoutMs: number;
  readonly isIdempotent: boolean;
  readonly signal: Cancellation | undefined;
}

const maxTargets = 4_096;

/** Creates a client. Throws `invalid_option`. */
export function createOutbound(options: OutboundOptions = {}): Outbound {
  const settings = settingsOf(options);
  const trust = trustOf({}, settings.ca);
  const guard = createGuard({ ...settings, trust: trust.context });
  const pools = createPools({ ...settings, connect: guard.connect });
  const targets = new Map<string, Target>();
  const trusts = new WeakMap<OutboundTls, Trust>();
  let closed = false;

  /** Parses a URL, or returns the cached result. The oldest entry makes room for a new one. */
  function targetOf(url: string): Target {
    const known = targets.get(url);
    if (known) return known;
    const target = guard.check(url);
    if (targets.size === maxTargets) targets.delete(targets.keys().next().value!);
    targets.set(url, target);
    return target;
  }

  function destinationOf(origin: string, tls: OutboundTls): Destination {
    const own = trusts.get(tls) ?? trustOf(tls, settings.ca);
    trusts.set(tls, own);
    return { key: `${origin} ${own.key}`, origin, trust: own };
  }

  /** Validates a request. Throws for an invalid one. */
  function prepare(request: OutboundRequest): Prepared {
    checkFields(request);
    const { url, method = 'POST', headers = [], body = null, timeoutMs = settings.timeoutMs } = request;
    const { idempotent = !notIdempotent.has(method) } = request;
    // An own property: a polluted Object.prototype must not decide which authorities are trusted.
    const tls = Object.hasOwn(request, 'tls') ? request.tls : undefined;
    const { origin, path } = targetOf(url);
    const destination = tls ? destinationOf(origin, tls) : { key: origin, origin };
    const sendable = sendableHeaders(headers ?? []);
    if (timeoutMs !== settings.timeoutMs) checkTimeout(timeoutMs);
    checkMessage(method, body);
    return {
      destination,
      message: { path, method, headers: sendable, body },
      timeoutMs,
      isIdempotent: idempotent,
      signal: request.signal,
    };
  }

  return {
    checkUrl: guard.resolve,

    request(request) {
      let prepared: Prepared;
      try {
        prepared = prepare(request);
      } catch (error) {
        const isForbidden = isPosthornError(error) && error.code === 'address_forbidden';
        return isForbidden ? Promise.resolve(failureOf(error)) : Promise.reject(error);
      }
      const { destination, message, timeoutMs, isIdempotent, signal } = prepared;
      if (closed) return Promise.resolve(failure('config', 'the client is closed'));
      if (signal?.aborted)
        return Promise.resolve(failure('aborted', 'the request was aborted by its caller'));
      const exchange = new Exchange(settings, timeoutMs, signal, isIdempotent);
      pools.send(destination, message, exchange);
      return exchange.result;
    },

    async close() {
      closed = true;
      await pools.close();
    },
  };
}

/** Options of `checkUrl`. */
export interface CheckUrlOptions {
  readonly policy?: OutboundPolicy;
  /** Replaces the policy's `lookup`. */
  readonly lookup?: LookupFunction;
}

/** Checks a URL as a client with these options would. See `Outbound.checkUrl`. */
export async function checkUrl(url: string, options: CheckUrlOptions = {}): Promise<readonly string[]> {
  const { lookup, policy = {} } = parseOptions(options, ['lookup', 'policy'], 'checkUrl');
  const settings = settingsOf({ policy: lookup ? { ...policy, lookup } : policy });
  return createGuard({ ...settings, trust: trustOf({}, []).context }).resolve(url);
}

/** Returns the client of an option `outbound`, or creates one from its options. Throws `invalid_option`. */
export function outboundOf(outbound: Outbound | OutboundOptions = {}): Outbound {
  if (typeof outbound !== 'object' || outbound === null) {
    throw invalid(`outbound must be an Outbound or its options, not ${describeType(outbound)}`);
  }
  return 'request' in outbound ? outbound : createOutbound(outbound);
}

const fields: ReadonlySet<string> = new Set([
  'url',
  'method',
  'headers',
  'body',
  'timeoutMs',
  'tls',
  'idempotent',
  'signal',
]);

/** Validates the fields of a request; cheaper than `parseOptions`. Throws `invalid_option`. */
function checkFields(request: OutboundRequest): void {
  if (typeof request !== 'object' || request === null)
    throw invalid(`request must be an object, not ${describeType(request)}`);
  for (const field of Object.keys(request)) {
    if (!fields.has(field))
      throw invalid(`request: unknown field ${field}; the fields are ${[...fields].join(', ')}`);
  }
  const { signal, idempotent } = request;
  if (idempotent !== undefined && typeof idempotent !== 'boolean') {
    throw invalid(`idempotent must be true or false, not ${describeType(idempotent)}`);
  }
  if (signal && typeof signal.addEventListener !== 'function') throw invalid('signal must be an AbortSignal');
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Methods that are not idempotent (RFC 9110 §9.2.2). */
const notIdempotent: ReadonlySet<string> = new Set(['POST', 'PATCH']);

function checkMessage(method: string, body: unknown): void {
  if (!methods.has(method)) throw invalid(`method must be one of ${[...methods].join(', ')}`);
  if (body !== null && typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw invalid(`body must be a string or bytes, not ${describeType(body)}`);
  }
}

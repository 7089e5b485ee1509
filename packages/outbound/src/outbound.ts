import type { LookupFunction } from 'node:net';
import { type Cancellation, isPosthornError, kindOf, PosthornError } from '@posthorn/core';
import type { HttpRequest } from './client.js';
import type { Destination } from './connection.js';
import { Exchange, type OutboundResult } from './exchange.js';
import { failure, failureOf } from './failure.js';
import { createGuard, type Target } from './guard.js';
import { sendableHeaders } from './headers.js';
import { checkTimeout, type OutboundOptions, settingsOf } from './options.js';
import { ownOptions } from './own-options.js';
import type { OutboundPolicy } from './policy.js';
import { createPools } from './pools.js';
import { type OutboundTls, type Trust, trustOf } from './trust.js';

export interface OutboundRequest {
  readonly url: string;
  /** Default `POST`. */
  readonly method?: string;
  /** By name, or names and values in turn. Sent as they are; what tenants wish for goes through `checkHeaders` first. */
  readonly headers?: Readonly<Record<string, string>> | readonly string[];
  readonly body?: string | Uint8Array;
  /** Default: the client's. */
  readonly timeoutMs?: number;
  /**
   * A client certificate, and authorities to trust, for this request. Connections are shared only where these are
   * equal. Hand the same object to every request that it is for: it is read when it is first seen.
   */
  readonly tls?: OutboundTls | undefined;
  /**
   * Whether it may reach the receiver twice. It is then sent once more, at once and over a new connection, where a kept one
   * ends before a byte of the answer: receivers close idle connections unannounced (RFC 9110 §9.2.2). Default: true for
   * the methods that are idempotent by RFC 9110, which `POST` and `PATCH` are not.
   */
  readonly idempotent?: boolean;
  /** Ends the request with `aborted`. An AbortSignal, or as much of one. */
  readonly signal?: Cancellation;
}

/** The HTTP client every request to a tenant's address goes through. */
export interface Outbound {
  /**
   * Judges an address as a request to it would be judged now, without sending one. Resolves to the addresses it would
   * go to: none where a proxy looks names up; else those of both families, which it waits for within the connect timeout.
   * Rejects with `url_invalid`, `url_scheme`, `url_credentials`, `url_port`, `address_forbidden`, or `url_unresolvable`
   * where the name leads nowhere.
   */
  checkUrl(url: string): Promise<readonly string[]>;
  /**
   * Sends one request: no retry but of what is `idempotent`, no redirect, no cookies, no decompression, no proxy but the
   * policy's. Resolves to a value for anything a network or a receiver can do, within the timeout, an address that the guard refuses
   * included. Rejects only for a request that is wrong in itself, before anything is sent: `url_invalid`,
   * `url_scheme`, `url_credentials`, `url_port`, `invalid_header`, `invalid_option`.
   */
  request(request: OutboundRequest): Promise<OutboundResult>;
  /** Takes no more requests (they end with `config`), waits for those in flight, and closes every connection. */
  close(): Promise<void>;
}

/** A request that was found right, ready to be sent. */
interface Prepared {
  readonly destination: Destination;
  readonly message: HttpRequest;
  readonly timeoutMs: number;
  readonly isIdempotent: boolean;
  readonly signal: Cancellation | undefined;
}

const maxTargets = 4_096;

/** Makes a client. Throws `invalid_option`. */
export function createOutbound(options: OutboundOptions = {}): Outbound {
  const settings = settingsOf(options);
  const trust = trustOf({}, settings.ca);
  const guard = createGuard({ ...settings, trust: trust.context });
  const pools = createPools({ ...settings, connect: guard.connect });
  const targets = new Map<string, Target>();
  const trusts = new WeakMap<OutboundTls, Trust>();
  let closed = false;

  /** An URL is parsed when it is first seen; the oldest is forgotten for a new one. */
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

  /** Throws for a request that is wrong in itself. */
  function prepare(request: OutboundRequest): Prepared {
    checkFields(request);
    const { url, method = 'POST', headers = [], body = null, timeoutMs = settings.timeoutMs } = request;
    const { idempotent = !changing.has(method) } = request;
    // Its own: a polluted Object.prototype is not to say whom to trust.
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

export interface CheckUrlOptions {
  readonly policy?: OutboundPolicy;
  /** In place of the policy's. */
  readonly lookup?: LookupFunction;
}

/** Judges an address as a client with these options would. See `Outbound.checkUrl`. */
export async function checkUrl(url: string, options: CheckUrlOptions = {}): Promise<readonly string[]> {
  const { lookup, policy = {} } = ownOptions(options, ['lookup', 'policy'], 'options of checkUrl');
  const settings = settingsOf({ policy: lookup ? { ...policy, lookup } : policy });
  return createGuard({ ...settings, trust: trustOf({}, []).context }).resolve(url);
}

/** The client that an option `outbound` is, or one made of it. Throws `invalid_option`. */
export function outboundOf(outbound: Outbound | OutboundOptions = {}): Outbound {
  if (typeof outbound !== 'object' || outbound === null) {
    throw invalid(`outbound must be an Outbound or its options, not ${kindOf(outbound)}`);
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

/** What every request has to pass, cheaper than `ownOptions`. Throws `invalid_option`. */
function checkFields(request: OutboundRequest): void {
  if (typeof request !== 'object' || request === null)
    throw invalid(`request must be an object, not ${kindOf(request)}`);
  for (const field of Object.keys(request)) {
    if (!fields.has(field))
      throw invalid(`request: there is no ${field}; there are ${[...fields].join(', ')}`);
  }
  const { signal, idempotent } = request;
  if (idempotent !== undefined && typeof idempotent !== 'boolean') {
    throw invalid(`idempotent must be true or false, not ${kindOf(idempotent)}`);
  }
  if (signal && typeof signal.addEventListener !== 'function') throw invalid('signal must be an AbortSignal');
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** RFC 9110 §9.2.2. */
const changing: ReadonlySet<string> = new Set(['POST', 'PATCH']);

function checkMessage(method: string, body: unknown): void {
  if (!methods.has(method)) throw invalid(`method must be one of ${[...methods].join(', ')}`);
  if (body !== null && typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw invalid(`body must be a string or bytes, not ${kindOf(body)}`);
  }
}

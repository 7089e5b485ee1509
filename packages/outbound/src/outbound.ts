import { X509Certificate } from 'node:crypto';
import { kindOf, PosthornError } from '@posthorn/core';
import { Exchange, type OutboundResult } from './exchange.js';
import { failure } from './failure.js';
import { createGuard, type OutboundPolicy, type Target } from './guard.js';
import { sendableHeaders } from './headers.js';
import { createPools } from './pools.js';

export interface OutboundOptions {
  /** Where requests may go. Default: `https:` addresses only. */
  readonly policy?: OutboundPolicy;
  /** The whole of a request, from the look-up of the name to the last byte of the body. Default 15,000. */
  readonly timeoutMs?: number;
  /** Look-up, TCP and TLS, within `timeoutMs`. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Of an answer's headers. Default 16 KiB. */
  readonly maxHeaderBytes?: number;
  /** Of an answer's body, kept. At most 64 KiB are read, or this if it is more. Default 16 KiB. */
  readonly maxBodyBytes?: number;
  /** Responses of 1xx before the answer. Default 10. */
  readonly maxInformational?: number;
  /** Connections to one origin; further requests wait for one to be free. Default 128. */
  readonly connections?: number;
  /** How long an idle connection is kept. Default 30,000. */
  readonly keepAliveMs?: number;
  /** Origins with kept connections; the one longest unused is closed for a new one. Default 1,000. */
  readonly maxOrigins?: number;
  /** Certificates of authorities to trust besides Node's own, in PEM: for receivers of a private network. */
  readonly ca?: string | readonly string[];
}

export interface OutboundRequest {
  readonly url: string;
  /** Default `POST`. */
  readonly method?: string;
  /** By name, or names and values in turn. Sent as they are; what tenants wish for goes through `checkHeaders` first. */
  readonly headers?: Readonly<Record<string, string>> | readonly string[];
  readonly body?: string | Uint8Array;
  /** Default: the client's. */
  readonly timeoutMs?: number;
  /** Ends the request with `aborted`. */
  readonly signal?: AbortSignal;
}

/** The HTTP client every request to a tenant's address goes through. */
export interface Outbound {
  /** Reads an address as `request` would. Throws `url_invalid`, `url_scheme` or `url_credentials`. */
  checkUrl(url: string): void;
  /**
   * Sends one request, once: no retry, no redirect, no cookies, no proxy, no decompression. Resolves to a value for
   * anything a network or a receiver can do, within the timeout. Rejects only for a request that must not be sent,
   * before anything is: `url_invalid`, `url_scheme`, `url_credentials`, `invalid_header`, `invalid_option`.
   */
  request(request: OutboundRequest): Promise<OutboundResult>;
  /** Takes no more requests (they end with `config`), waits for those in flight, and closes every connection. */
  close(): Promise<void>;
}

const defaults = {
  policy: {} as OutboundPolicy,
  timeoutMs: 15_000,
  connectTimeoutMs: 5_000,
  maxHeaderBytes: 16 * 1024,
  maxBodyBytes: 16 * 1024,
  maxInformational: 10,
  connections: 128,
  keepAliveMs: 30_000,
  maxOrigins: 1_000,
  ca: [] as string | readonly string[],
};

const maxTimeoutMs = 3_600_000;
const maxTargets = 4_096;

/** Makes a client. Throws `invalid_option`. */
export function createOutbound(options: OutboundOptions = {}): Outbound {
  const settings = settingsOf(options);
  const guard = createGuard(settings);
  const pools = createPools({ ...settings, connect: guard.connect });
  const targets = new Map<string, Target>();
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

  return {
    checkUrl(url) {
      guard.check(url);
    },

    request({ url, method = 'POST', headers, body, timeoutMs = settings.timeoutMs, signal }) {
      let target: Target;
      let sendable: string[] | null;
      try {
        target = targetOf(url);
        sendable = headers ? sendableHeaders(headers) : null;
        if (timeoutMs !== settings.timeoutMs) checkNumber('timeoutMs', timeoutMs, 1, maxTimeoutMs);
        checkMessage(method, body);
      } catch (error) {
        return Promise.reject(error);
      }
      if (closed) return Promise.resolve(failure('config', 'the client is closed'));
      if (signal?.aborted)
        return Promise.resolve(failure('aborted', 'the request was aborted by its caller'));
      const exchange = new Exchange(settings, timeoutMs, signal);
      const message = { path: target.path, method, headers: sendable, body: body ?? null };
      pools.send(target.origin, message, exchange);
      return exchange.result;
    },

    async close() {
      closed = true;
      await pools.close();
    },
  };
}

function settingsOf(options: OutboundOptions): Omit<typeof defaults, 'ca'> & { ca: readonly string[] } {
  checkNames(options, defaults, 'outbound');
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const settings: typeof defaults = { ...defaults, ...given };
  checkNumber('timeoutMs', settings.timeoutMs, 1, maxTimeoutMs);
  checkNumber('connectTimeoutMs', settings.connectTimeoutMs, 1, maxTimeoutMs);
  checkNumber('maxHeaderBytes', settings.maxHeaderBytes, 1_024, 1_048_576);
  checkNumber('maxBodyBytes', settings.maxBodyBytes, 0, 16_777_216);
  checkNumber('maxInformational', settings.maxInformational, 0, 1_000);
  checkNumber('connections', settings.connections, 1, 10_000);
  checkNumber('keepAliveMs', settings.keepAliveMs, 1, maxTimeoutMs);
  checkNumber('maxOrigins', settings.maxOrigins, 1, 1_000_000);
  checkNames(settings.policy, { allowHttp: false }, 'policy');
  if (!['boolean', 'undefined'].includes(typeof settings.policy.allowHttp)) {
    throw new PosthornError('invalid_option', 'policy.allowHttp must be true or false');
  }
  const ca = typeof settings.ca === 'string' ? [settings.ca] : settings.ca;
  if (!Array.isArray(ca) || !ca.every(holdsCertificates)) {
    throw new PosthornError('invalid_option', 'ca must be a certificate in PEM, or an array of such');
  }
  return { ...settings, ca };
}

const certificates = /-----BEGIN .+?-----END [^-]*-----/gs;

/** Node takes anything for an authority, and then trusts nobody more. */
function holdsCertificates(pem: unknown): boolean {
  if (typeof pem !== 'string') return false;
  try {
    for (const certificate of pem.match(certificates) ?? [pem]) new X509Certificate(certificate);
    return true;
  } catch {
    return false;
  }
}

function checkNames(options: unknown, known: object, what: string): void {
  if (typeof options !== 'object' || options === null) {
    throw new PosthornError('invalid_option', `${what} options must be an object, not ${kindOf(options)}`);
  }
  const stranger = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (stranger !== undefined) {
    throw new PosthornError(
      'invalid_option',
      `${stranger} is no ${what} option; there are ${Object.keys(known).join(', ')}`,
    );
  }
}

function checkNumber(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new PosthornError('invalid_option', `${name} must be a whole number from ${min} to ${max}`);
  }
}

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

function checkMessage(method: string, body: unknown): void {
  if (!methods.has(method))
    throw new PosthornError('invalid_option', `method must be one of ${[...methods].join(', ')}`);
  if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw new PosthornError('invalid_option', `body must be a string or bytes, not ${kindOf(body)}`);
  }
}

import type { Cancellation } from '@posthorn/core/channel';
import { type Dispatcher, errors } from 'undici';
import { failure, failureOf, type OutboundFailure } from './failure.js';

/** A response with complete headers. The status is final, even if the body breaks off. */
export interface OutboundAnswer {
  readonly ok: true;
  /** The status as received, 200 to 999. A redirect is a response like any other and is never followed. */
  readonly status: number;
  /** Headers by lower-case name. The value is an array if the name occurs more than once. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The beginning of the body as text, never decompressed. Invalid UTF-8 and NUL are replaced by U+FFFD. */
  readonly body: string;
  /** Whether the body was longer than `body`. */
  readonly bodyTruncated: boolean;
  /**
   * Whether the body was received to its end. False if the deadline or a cap was reached, or the connection broke. A
   * body without a length ends with the connection: a reset right after its last bytes looks like its end.
   */
  readonly bodyComplete: boolean;
}

/** The result of a request: an answer, or a failure. */
export type OutboundResult = OutboundAnswer | OutboundFailure;

export interface AnswerLimits {
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
  readonly maxInformational: number;
}

/** A body up to this size is read to its end to keep the connection. Reading more costs more than a new connection. */
const maxReadBytes = 64 * 1024;

/** The largest size of a response within all limits: headers, informational responses, body and framing. */
export const maxAnswerBytes = (limits: AnswerLimits): number =>
  limits.maxHeaderBytes * (1 + limits.maxInformational) +
  Math.max(maxReadBytes, limits.maxBodyBytes) +
  framingBytes;

/** Allowance for chunk headers and other bytes that are neither header fields nor body. */
const framingBytes = 64 * 1024;

/** What an exchange needs to know about its connection. */
export interface Carrier {
  /** Whether the connection ended with an error. A body that lasts until the connection ends is incomplete then. */
  isBroken(): boolean;
  /**
   * Whether a kept connection has received nothing since: the receiver may have closed it before it saw the request.
   */
  isStale(): boolean;
}

/** The error undici gets when this side closes a connection. */
export const over: Error = new errors.RequestAbortedError();

/**
 * One request and its response, as a handler for undici. It ends once, by whichever comes first: the response, an
 * error, the deadline or an abort by the caller. Later events are ignored.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly result: Promise<OutboundResult>;
  /** Called when the exchange ends. `reusable`: whether its connection can carry another request. Set by the pool. */
  onEnd: ((reusable: boolean) => void) | undefined;
  /** Called when the kept connection turns out to be closed: sends the request over another one. Set by the pool. */
  onStale: (() => void) | undefined;
  /** Whether the request had to wait for a free connection. Set by the pool. */
  waited = false;
  /** The connection that carries the request. Set by the connection. */
  connection: Carrier | undefined;
  readonly #limits: AnswerLimits;
  readonly #timeoutMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: Cancellation | undefined;
  readonly #isIdempotent: boolean;
  #onAbort: (() => void) | undefined;
  #resolve!: (result: OutboundResult) => void;
  #ended = false;
  #started = false;
  #informational = 0;
  #status = 0;
  #headers: OutboundAnswer['headers'] = {};
  readonly #kept: Buffer[] = [];
  #readBytes = 0;

  constructor(
    limits: AnswerLimits,
    timeoutMs: number,
    signal: Cancellation | undefined,
    isIdempotent: boolean,
  ) {
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#limits = limits;
    this.#timeoutMs = timeoutMs;
    this.#timer = setTimeout(expire, timeoutMs, this);
    this.#signal = signal;
    this.#isIdempotent = isIdempotent;
    if (signal) {
      this.#onAbort = () => this.#end(failure('aborted', 'the request was aborted by its caller'), false);
      signal.addEventListener('abort', this.#onAbort);
    }
  }

  /** Ends the exchange at the deadline. A response whose body is incomplete is still a response. */
  expire(): void {
    const within = `within ${this.#timeoutMs} ms`;
    if (this.#status > 0) this.#end(this.#answer(false), false);
    else if (this.#started) this.#end(failure('timeout', `no answer ${within}`), false);
    else if (this.waited)
      this.#end(failure('timeout', `waited for a free connection, had none ${within}`), false);
    else this.#end(failure('connect_timeout', `no connection ${within}`), false);
  }

  /** Ends the exchange because the response exceeded `maxAnswerBytes`. */
  cut(): void {
    if (this.#status > 0) this.#end(this.#answer(false), false);
    else this.#end(failure('too_large', 'too much came before the headers were complete'), false);
  }

  onRequestStart(): void {
    this.#started = true;
  }

  onResponseStart(_: unknown, status: number, headers: OutboundAnswer['headers']): void {
    if (status >= 200) {
      this.#status = status;
      this.#headers = headers;
    } else if (status === 101) {
      this.#end(
        failure('protocol', 'the receiver switched protocols (101), which the request did not ask for'),
        false,
      );
    } else if (status < 100) {
      this.#end(failure('protocol', `the receiver answered with the status ${status}`), false);
    } else if (++this.#informational > this.#limits.maxInformational) {
      const most = `more than ${this.#limits.maxInformational} informational responses came`;
      this.#end(failure('protocol', most), false);
    }
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    const room = this.#limits.maxBodyBytes - this.#readBytes;
    this.#readBytes += chunk.length;
    if (room > 0) this.#kept.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    if (this.#readBytes > maxReadBytes && this.#readBytes > this.#limits.maxBodyBytes) {
      this.#end(this.#answer(false), false);
    }
  }

  onResponseEnd(): void {
    // undici treats a reset as the end of a body that lasts until the connection ends.
    const complete = !this.connection?.isBroken();
    this.#end(this.#answer(complete), complete && !mayWorkElsewhere(this.#status));
  }

  onResponseError(_: unknown, error: Error): void {
    if (this.#ended) return;
    const result = this.#status > 0 ? this.#answer(false) : failureOf(error);
    if (!result.ok && result.kind === 'reset' && this.#mayBeSentAgain()) this.onStale?.();
    else this.#end(result, false);
  }

  /**
   * Whether the request may be sent over another connection. A receiver that closes a kept connection while a request
   * is in flight may not have read it, and cannot say so. RFC 9112 §9.3.1 lets a client repeat a request that was not
   * sent or is idempotent. This happens once: the next connection is a new one.
   */
  #mayBeSentAgain(): boolean {
    return (this.#isIdempotent || !this.#started) && Boolean(this.connection?.isStale());
  }

  #answer(bodyComplete: boolean): OutboundAnswer {
    const bodyTruncated = this.#readBytes > this.#limits.maxBodyBytes;
    return {
      ok: true,
      status: this.#status,
      headers: this.#headers,
      body: textOf(this.#kept, bodyComplete && !bodyTruncated),
      bodyTruncated,
      bodyComplete,
    };
  }

  /** `reusable` is false if the connection is broken or still carries an unread response: the pool then closes it. */
  #end(result: OutboundResult, reusable: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#resolve(result);
    this.onEnd?.(reusable);
  }
}

/**
 * Whether another server behind the same name may succeed: this one fails (5xx) or is the wrong one (421, RFC 9110
 * §15.5.20).
 */
const mayWorkElsewhere = (status: number): boolean => status >= 500 || status === 421;

function expire(exchange: Exchange): void {
  exchange.expire();
}

function textOf(chunks: readonly Buffer[], whole: boolean): string {
  const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  // `stream` drops an incomplete character at the end.
  const text = whole ? bytes.toString() : new TextDecoder().decode(bytes, { stream: true });
  // Postgres text cannot hold NUL.
  return text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
}

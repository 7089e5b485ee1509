import type { Cancellation } from '@posthorn/core';
import { type Dispatcher, errors } from 'undici';
import { failure, failureOf, type OutboundFailure } from './failure.js';

/** Complete response headers came: what they say stands, whatever becomes of the body. */
export interface OutboundAnswer {
  readonly ok: true;
  /** As it came, 100 to 999. A redirect is an answer; it is never followed. */
  readonly status: number;
  /** By name in lower case; an array where a name came more than once. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The beginning of the body as text. Never decompressed; what is not UTF-8, and NUL, reads as U+FFFD. */
  readonly body: string;
  /** Whether more of the body came than was kept. */
  readonly bodyTruncated: boolean;
  /**
   * False where the body did not end: the deadline or a cap was reached, or the connection broke. Of a body without a
   * length that goes on until the connection ends, a reset right behind its last bytes cannot be told from the end.
   */
  readonly bodyComplete: boolean;
}

export type OutboundResult = OutboundAnswer | OutboundFailure;

export interface AnswerLimits {
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
  readonly maxInformational: number;
}

/** Read to here, an answer may still end and its connection be kept; beyond, it costs more than a new one. */
const maxReadBytes = 64 * 1024;

/** What an answer within all limits may come to: its headers, those of informational responses, body and framing. */
export const maxAnswerBytes = (limits: AnswerLimits): number =>
  limits.maxHeaderBytes * (1 + limits.maxInformational) +
  Math.max(maxReadBytes, limits.maxBodyBytes) +
  framingBytes;

/** Names of chunks and what stands between fields; a receiver that needs more is not worth it. */
const framingBytes = 64 * 1024;

/** What an exchange asks of the connection that carries it. */
export interface Carrier {
  /** Whether it ended by an error: what was to go on until its end is not whole, then. */
  isBroken(): boolean;
  /** Whether it had been kept, and nothing has come since: the receiver may have closed it before it saw the request. */
  isStale(): boolean;
}

/** What undici is told when a connection is closed from our side. */
export const over: Error = new errors.RequestAbortedError();

/**
 * One request and its answer, as undici tells of it. It ends once: by the answer, an error, the deadline or the
 * caller, whichever is first, and from then on hears nothing. A class, because there is one for each request.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly result: Promise<OutboundResult>;
  /** Called when it ends, with whether its connection can carry another request. Set by the pool. */
  onEnd: ((reusable: boolean) => void) | undefined;
  /** Called when the kept connection that was to carry it is found closed: sends it over another one. Set by the pool. */
  onStale: (() => void) | undefined;
  /** Whether it had to wait for a free connection. Set by the pool. */
  waited = false;
  /** What carries it. Set by the connection. */
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

  /** The deadline: an answer whose body still comes is an answer. */
  expire(): void {
    const within = `within ${this.#timeoutMs} ms`;
    if (this.#status > 0) this.#end(this.#answer(false), false);
    else if (this.#started) this.#end(failure('timeout', `no answer ${within}`), false);
    else if (this.waited)
      this.#end(failure('timeout', `waited for a free connection, had none ${within}`), false);
    else this.#end(failure('connect_timeout', `no connection ${within}`), false);
  }

  /** More was read than an answer may come to. */
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
      this.#end(failure('protocol', 'the receiver switched protocols, which nobody asked for'), false);
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
    // undici takes a reset for the end of a body that goes on until the connection ends.
    const complete = !this.connection?.isBroken();
    this.#end(this.#answer(complete), complete && !isElsewhere(this.#status));
  }

  onResponseError(_: unknown, error: Error): void {
    if (this.#ended) return;
    const result = this.#status > 0 ? this.#answer(false) : failureOf(error);
    if (!result.ok && result.kind === 'reset' && this.#mayBeSentAgain()) this.onStale?.();
    else this.#end(result, false);
  }

  /**
   * A receiver that closes a kept connection while a request is on its way may not have read it, nor can it say so. RFC 9112
   * §9.3.1 lets a client repeat what was not sent, or is idempotent. Once: the next connection is a new one.
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

  /** Where `reusable` is false the pool closes the connection: it holds an answer nobody waits for, or is broken. */
  #end(result: OutboundResult, reusable: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#resolve(result);
    this.onEnd?.(reusable);
  }
}

/** Another machine may do better, where the name leads by now: one that fails, or is not the right one (RFC 9110 §15.5.20). */
const isElsewhere = (status: number): boolean => status >= 500 || status === 421;

function expire(exchange: Exchange): void {
  exchange.expire();
}

function textOf(chunks: readonly Buffer[], whole: boolean): string {
  const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  // `stream` drops the beginning of a character that was cut through.
  const text = whole ? bytes.toString() : new TextDecoder().decode(bytes, { stream: true });
  // No Postgres text may hold NUL, and no reader needs it.
  return text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
}

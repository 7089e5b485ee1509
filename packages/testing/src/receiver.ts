import { timingSafeEqual } from 'node:crypto';
import { createSecret, type Duration, PosthornError } from '@posthorn/core';
import { toMs } from '@posthorn/core/schemas';
import { Webhook } from 'standardwebhooks';
import {
  httpStandIn,
  type StandInAnswer,
  type StandInChannelOptions,
  type StandInRequest,
  type Trouble,
} from './http-stand-in/server.js';

/** Options of `receiver`. */
export interface ReceiverOptions {
  /** The webhook's signing secret, `whsec_…`. Default: one of its own; pass `inbox.secret` to `webhooks.create`. */
  readonly secret?: string;
  /** How far a timestamp may be from the clock, before and after. Default 5 minutes, as in Standard Webhooks. */
  readonly tolerance?: Duration;
  /** The clock, in milliseconds since 1970. Default `Date.now`; with `testDispatcher`, its `clock.now`. */
  readonly now?: () => number;
}

/** How a receiver fails: with a status, without an answer, or by closing the connection. */
export type ReceiverFailure = number | 'hang' | 'reset';

/** A request that reached a receiver. */
export interface ReceivedRequest {
  readonly headers: StandInRequest['headers'];
  /** The signed text. */
  readonly body: string;
  /** The parsed body. Undefined if it is not JSON. */
  readonly json: unknown;
  /** The event type: `event_type` or `type` of the body, or the header `ce-type`. Undefined without any. */
  readonly type: string | undefined;
  /** Whether the signature is right and the timestamp within the tolerance. */
  readonly verified: boolean;
  /** Why it is not verified. Undefined if it is. */
  readonly reason: string | undefined;
  /** 1 for the first request with this `webhook-id`, 2 for the next. */
  readonly attempt: number;
  /** What it was answered: 204 if verified, 401 if not, or the failure that was asked for. */
  readonly answer: ReceiverFailure;
}

/** A customer's endpoint, on 127.0.0.1. */
export interface Receiver extends AsyncDisposable {
  /** Where to send webhooks to. */
  readonly url: string;
  /** The secret that it verifies with. */
  readonly secret: string;
  /** Options of `httpChannel` that let it send here: plain HTTP, on 127.0.0.1. */
  readonly channelOptions: Pick<StandInChannelOptions, 'outbound'>;
  /** Every request, in order, those that failed or were refused included. */
  readonly deliveries: readonly ReceivedRequest[];
  /**
   * Resolves to the first accepted request that no earlier call returned, of the given `type` if there is one. Waits
   * for it, by default for 5 seconds, then rejects and names what was received.
   */
  next(options?: { readonly type?: string; readonly within?: Duration }): Promise<ReceivedRequest>;
  /** Fails the next requests. `times` defaults to 1, `status` to 500. A later call replaces an earlier one. */
  fail(options?: { readonly times?: number; readonly status?: ReceiverFailure }): void;
  /** Ends every connection, and stops listening. */
  close(): Promise<void>;
}

interface Waiter {
  readonly type: string | undefined;
  readonly resolve: (received: ReceivedRequest) => void;
}

const takes = ({ type }: Pick<Waiter, 'type'>, received: ReceivedRequest): boolean =>
  (type ?? received.type) === received.type;

/**
 * Starts a server on 127.0.0.1 that receives webhooks as a careful customer does: it verifies each signature (`v1` of
 * Standard Webhooks) and timestamp, refuses what is not genuine, and remembers everything.
 *
 * @example
 * await using inbox = await receiver();
 * await posthorn.webhooks.create({ secret: inbox.secret, channels: [{ channel: 'webhook', configs: { url: inbox.url } }], … });
 * const { json, attempt } = await inbox.next({ type: 'order.placed' });
 */
export async function receiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { secret = createSecret(), tolerance = '5m', now = Date.now } = options;
  const verify = verifier(secret, toMs(tolerance, 'tolerance'), now);
  const deliveries: ReceivedRequest[] = [];
  const unread = new Set<ReceivedRequest>();
  const waiters = new Set<Waiter>();
  let failure: { readonly status: ReceiverFailure; left: number } | undefined;

  function answerTo(isVerified: boolean): ReceiverFailure {
    if (failure && failure.left > 0) {
      failure.left--;
      return failure.status;
    }
    return isVerified ? 204 : 401;
  }

  function accept(received: ReceivedRequest): void {
    const waiter = [...waiters].find((one) => takes(one, received));
    if (waiter) waiter.resolve(received);
    else unread.add(received);
  }

  const server = await httpStandIn((request) => {
    const { headers, body } = request;
    const reason = verify(request);
    const id = headers['webhook-id'];
    const attempt = 1 + deliveries.filter((one) => one.headers['webhook-id'] === id).length;
    const json = jsonOf(body);
    const verified = reason === undefined;
    const answer = answerTo(verified);
    const received = { headers, body, json, type: typeOf(json, headers), verified, reason, attempt, answer };
    deliveries.push(received);
    if (answer === 204) accept(received);
    return answerOf(answer);
  });

  function next({ type, within = '5s' }: Parameters<Receiver['next']>[0] = {}): Promise<ReceivedRequest> {
    const known = [...unread].find((received) => takes({ type }, received));
    if (known) {
      unread.delete(known);
      return Promise.resolve(known);
    }
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        waiters.delete(waiter);
      };
      const waiter: Waiter = {
        type,
        resolve(received) {
          end();
          resolve(received);
        },
      };
      const timer = setTimeout(
        () => {
          end();
          const seen = deliveries.map((one) => `${one.type} (${one.reason ?? one.answer})`).join(', ');
          reject(new Error(`no ${type ?? 'delivery'} within ${within}; received: ${seen || 'nothing'}`));
        },
        toMs(within, 'within'),
      );
      waiters.add(waiter);
    });
  }

  return {
    url: `${server.origin}/hooks`,
    secret,
    channelOptions: { outbound: server.channelOptions.outbound },
    deliveries,
    next,
    fail({ times = 1, status = 500 } = {}) {
      failure = { status, left: times };
    },
    close: server.close,
    [Symbol.asyncDispose]: server.close,
  };
}

const signedHeaders = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];

/** Returns a function that says why a request is not genuine, or undefined if it is. Throws `invalid_option`. */
function verifier(
  secret: string,
  toleranceMs: number,
  now: () => number,
): (request: StandInRequest) => string | undefined {
  if (!/^whsec_[A-Za-z0-9+/]+=*$/.test(secret)) {
    throw new PosthornError(
      'invalid_option',
      'secret must be whsec_ and standard base64, as webhooks.revealSecret returns it; other kinds are not verified',
    );
  }
  const webhook = new Webhook(secret);
  return ({ headers, body }) => {
    const [id = '', timestamp = '', signatures = ''] = signedHeaders.map((name) =>
      String(headers[name] ?? ''),
    );
    if (!id || !timestamp || !signatures) return `a header is missing: ${signedHeaders.join(', ')}`;
    if (!/^\d{1,12}$/.test(timestamp)) return 'webhook-timestamp is not a number of seconds';
    const ageMs = now() - Number(timestamp) * 1000;
    if (ageMs > toleranceMs) return 'webhook-timestamp is too old';
    if (ageMs < -toleranceMs) return 'webhook-timestamp is in the future';
    const expected = Buffer.from(webhook.sign(id, new Date(Number(timestamp) * 1000), body));
    const isSigned = signatures.split(' ').some((signature) => {
      const given = Buffer.from(signature);
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
    return isSigned ? undefined : 'no signature matches the secret';
  };
}

function answerOf(answer: ReceiverFailure): StandInAnswer | Trouble {
  if (answer === 'hang') return 'never';
  return answer === 'reset' ? 'hangup' : { status: answer };
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function typeOf(json: unknown, headers: StandInRequest['headers']): string | undefined {
  const { event_type: own, type } = (json ?? {}) as {
    readonly event_type?: unknown;
    readonly type?: unknown;
  };
  return [own, type, headers['ce-type']].find((one) => typeof one === 'string') as string | undefined;
}

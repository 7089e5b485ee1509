import { refuse } from './refusal.js';

/*
 * A request and its reply, whatever carries them. The objects of the Fetch standard cost more than most calls of the API
 * do: where a server of Node is on the other side, there are none.
 */

/** A request comes in, an answer goes out: what Hono, Next, Bun and Deno call a handler, and `toNode` mounts elsewhere. */
export type Handler = (request: Request) => Promise<Response>;

/** A body: whole, or in pieces. */
export type Content = string | Uint8Array | AsyncIterable<Uint8Array>;

/** `Headers` or less. */
export interface HeaderReader {
  get(name: Lowercase<string>): string | null;
  has(name: Lowercase<string>): boolean;
}

export interface Asked {
  readonly method: string;
  readonly headers: HeaderReader;
  /** Refuses (400) a path that cannot be read. */
  url(): URL;
  /** The body, null where there is none. Refuses one that broke off (400) or that others keep (500). */
  content(): Content | null | Promise<Content | null>;
  /** Its web-standard form, for functions of the application; refuses what has none (400, 405). Its body is not for them. */
  request(): Request;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>> | Headers;
  readonly content: string | ReadableStream<Uint8Array> | null;
}

export type Exchange = (asked: Asked) => Promise<Reply>;

/** Bodies up to this length are read as a whole: most are, and streams are slow. */
export const smallBytes = 65_536;
/** Methods of requests that have no body. */
export const withoutBody: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** The application's mistake: what is left of the body could be taken for a call without one. */
export const readBefore = () =>
  refuse(500, 'the body was read before and is nowhere: mount the API before what reads it');

/** The client's affair, which has left, and no failure of ours. */
export const brokeOff = () => refuse(400, 'the body broke off');

const exchanges = new WeakMap<Handler, Exchange>();

/** What is behind a handler that `handlerOf` has made. */
export const exchangeOf = (handler: Handler): Exchange | undefined => exchanges.get(handler);

/** The web-standard form of `exchange`. */
export function handlerOf(exchange: Exchange): Handler {
  const handler: Handler = async (request) => {
    const { method, headers } = request;
    const { content, ...init } = await exchange({
      method,
      headers,
      url: () => new URL(request.url),
      content: () => contentOf(request),
      request: () => request,
    });
    return new Response(content, init);
  };
  exchanges.set(handler, exchange);
  return handler;
}

/** Frameworks make a stream of it when it is asked for, and not before. */
async function contentOf(request: Request): Promise<Content | null> {
  if (request.bodyUsed) throw readBefore();
  const length = Number(request.headers.get('content-length') ?? Number.NaN);
  return length <= smallBytes ? new Uint8Array(await request.arrayBuffer()) : request.body;
}

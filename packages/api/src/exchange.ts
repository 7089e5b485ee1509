import { refuse } from './refusal.js';

/*
 * A request and its reply, independent of the server. The objects of the Fetch standard cost more than most calls of
 * the API: with a server of Node they are not created.
 */

/** A web-standard handler, as Hono, Next, Bun and Deno take it. `toNode` mounts it in other servers. */
export type Handler = (request: Request) => Promise<Response>;

/** A body: complete, or in chunks. */
export type Content = string | Uint8Array | AsyncIterable<Uint8Array>;

/** The part of `Headers` that is needed. */
export interface HeaderReader {
  get(name: Lowercase<string>): string | null;
  has(name: Lowercase<string>): boolean;
}

export interface Asked {
  readonly method: string;
  readonly headers: HeaderReader;
  /** Refuses (400) a path that cannot be read. */
  url(): URL;
  /** The body; null if there is none. Refuses a body that broke off (400) or that was already read (500). */
  content(): Content | null | Promise<Content | null>;
  /**
   * The request in its web-standard form, for functions of the application. They must not read its body. Refuses a
   * request without such a form (400, 405).
   */
  request(): Request;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>> | Headers;
  readonly content: string | ReadableStream<Uint8Array> | null;
}

export type Exchange = (asked: Asked) => Promise<Reply>;

/** Bodies up to this length are read at once, because streams are slow. Most bodies are that short. */
export const smallBytes = 65_536;
/** Methods of requests without a body. */
export const withoutBody: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** A mistake of the application. Going on could take the request for one without a body. */
export const readBefore = () =>
  refuse(
    500,
    'the body was already read and is not available: mount the API before anything that reads bodies',
  );

/** The client has disconnected; this is no failure of the server. */
export const brokeOff = () => refuse(400, 'the body is incomplete: the connection was closed');

const exchanges = new WeakMap<Handler, Exchange>();

/** The exchange behind a handler that `handlerOf` created. */
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

/** Reads `request.body` only when needed: frameworks create the stream on first access. */
async function contentOf(request: Request): Promise<Content | null> {
  if (request.bodyUsed) throw readBefore();
  const length = Number(request.headers.get('content-length') ?? Number.NaN);
  return length <= smallBytes ? new Uint8Array(await request.arrayBuffer()) : request.body;
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Handler } from './api.js';

type RequestBody = NonNullable<RequestInit['body']>;

/** A handler as node:http, Express, Connect, Koa and Nest mount it. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** What frameworks leave on a request: where it was mounted, and a body that a parser has read already. */
interface Parsed {
  readonly originalUrl?: unknown;
  readonly rawBody?: unknown;
  readonly body?: unknown;
}

/**
 * Mounts a web-standard handler in node:http, Express, Fastify, Koa or Nest. A body that was read already is taken from
 * `request.rawBody` or `request.body`; where it was parsed it is written as JSON again, and its spelling is lost: mount
 * the API before the parser to keep it. Never rejects.
 */
export function toNode(handler: Handler): NodeHandler {
  return async (incoming, outgoing) => {
    try {
      await write(await handler(requestOf(incoming)), outgoing);
    } catch (error) {
      // Not the handler, which does not reject: this request cannot be read, or that answer not be written.
      if (!outgoing.headersSent && error instanceof UnreadableError) {
        outgoing.writeHead(error.status, { 'content-type': 'text/plain', 'cache-control': 'no-store' });
        outgoing.end(error.message);
      } else outgoing.destroy(error instanceof Error ? error : undefined);
    }
  };
}

class UnreadableError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const withoutBody = new Set(['GET', 'HEAD']);
/** `Request` does not take these (Fetch, 2.2.1), and no call uses them. */
const forbidden = new Set(['TRACE', 'TRACK', 'CONNECT']);

function requestOf(incoming: IncomingMessage & Parsed): Request {
  const { method = 'GET', rawHeaders } = incoming;
  if (forbidden.has(method.toUpperCase())) throw new UnreadableError(405, `${method} is not allowed here`);
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    // HTTP/2 has its own, like :path.
    if (!rawHeaders[i]!.startsWith(':')) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  const path = typeof incoming.originalUrl === 'string' ? incoming.originalUrl : (incoming.url ?? '/');
  // Of `GET http://other.example/x HTTP/1.1` the path counts; //other.example/x is a path, and no host.
  const target = path.startsWith('/') ? path : path.replace(/^[a-z]+:\/\/[^/?#]*/i, '') || '/';
  const url = `http://localhost${target}`;
  if (!URL.canParse(url)) throw new UnreadableError(400, 'the path cannot be read');
  return withoutBody.has(method)
    ? new Request(url, { method, headers })
    : new Request(url, { method, headers, body: bodyOf(incoming, headers), duplex: 'half' } as RequestInit);
}

function bodyOf(incoming: IncomingMessage & Parsed, headers: Headers): RequestBody | null {
  const { rawBody, body } = incoming;
  const read = rawBody ?? body;
  if (read === undefined) {
    if (incoming.readableDidRead) {
      throw new UnreadableError(500, 'the body was read before: mount the API before what reads it');
    }
    return isEmpty(incoming) ? null : (incoming as unknown as RequestBody);
  }
  if (isEmpty(incoming)) return null;
  // It may have come compressed, and was read; its length is another now.
  headers.delete('content-encoding');
  headers.delete('content-length');
  return typeof read === 'string' || read instanceof Uint8Array
    ? (read as RequestBody)
    : JSON.stringify(read);
}

const isEmpty = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] === undefined && !(Number(headers['content-length']) > 0);

async function write(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  for await (const chunk of response.body ?? []) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(chunk)) await drained(outgoing);
  }
  outgoing.end();
}

/** Until there is room again, or nobody reads any more. */
const drained = (outgoing: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      outgoing.off('drain', done).off('close', done);
      resolve();
    };
    outgoing.on('drain', done).on('close', done);
  });

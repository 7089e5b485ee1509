import type { Readable } from 'node:stream';
import { knowBody, markDirect } from './known-body.js';
import { refuse } from './refusal.js';

/** What is needed of a request of node:http or node:http2, and what frameworks leave on one. */
export interface NodeRequest extends Readable {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersionMajor: number;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Whether all of it has come. */
  readonly complete: boolean;
  /** The whole path, where a framework has cut off what it was mounted under. */
  readonly originalUrl?: unknown;
  /** What was read of the body already. */
  readonly rawBody?: unknown;
  /** What a parser made of it. */
  readonly body?: unknown;
}

type RequestBody = NonNullable<RequestInit['body']>;

/** Bodies up to this length are read before the handler is called: most are, and streams are slow. */
const smallBytes = 65_536;
const withoutBody = new Set(['GET', 'HEAD']);
/** `Request` does not take these (Fetch, 2.2.1), and no call uses them. */
const forbidden = new Set(['TRACE', 'TRACK', 'CONNECT']);

/**
 * The web-standard form of a request. Refuses what has none: a method (405), a path or a header (400), a body that
 * somebody read and did not leave (500). Rejects where the client goes away before its body is there. To a direct handler
 * the body goes without a stream.
 */
export async function webRequest(incoming: NodeRequest, toDirect: boolean): Promise<Request> {
  const { method = 'GET' } = incoming;
  if (forbidden.has(method.toUpperCase())) throw refuse(405, `no path takes ${method}`);
  const url = urlOf(incoming);
  const headers = headersOf(incoming);
  const bare = () => {
    const request = new Request(url, { method, headers });
    return toDirect ? markDirect(request) : request;
  };
  if (withoutBody.has(method) || hasNoBody(incoming, headers)) return bare();
  const body = isUnread(incoming) ? await unreadBody(incoming, headers) : leftBody(incoming, headers);
  const isKnown = typeof body === 'string' || body instanceof Uint8Array;
  if (isKnown && toDirect) return knowBody(bare(), body);
  return new Request(url, { method, headers, body: body as RequestBody, duplex: 'half' } as RequestInit);
}

function urlOf({ originalUrl, url = '/' }: NodeRequest): string {
  const target = typeof originalUrl === 'string' ? originalUrl : url;
  // Of `GET http://other.example/x HTTP/1.1` the path counts; //other.example/x is a path, and no host.
  const path = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*(?=\/)/i, '');
  const whole = `http://localhost${path}`;
  if (path.startsWith('/') && URL.canParse(whole)) return whole;
  throw refuse(400, 'the path cannot be read');
}

/** Each as it came: of two that must be one, node:http would show the first, and hide that there are two. */
function headersOf({ rawHeaders }: NodeRequest): Headers {
  const headers = new Headers();
  try {
    for (let i = 0; i < rawHeaders.length; i += 2) {
      // HTTP/2 has its own, like :path.
      if (!rawHeaders[i]!.startsWith(':')) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
    }
  } catch {
    throw refuse(400, 'a header cannot be read');
  }
  return headers;
}

/** In HTTP/2 a body needs no header to announce it. */
const hasNoBody = ({ httpVersionMajor }: NodeRequest, headers: Headers): boolean =>
  httpVersionMajor < 2 && !headers.has('transfer-encoding') && !(Number(headers.get('content-length')) > 0);

/** Parsers leave `body` behind even where they have not touched a request: what they have read of it counts. */
const isUnread = ({ readableDidRead, destroyed }: NodeRequest): boolean => !readableDidRead && !destroyed;

async function unreadBody(
  incoming: NodeRequest,
  headers: Headers,
): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const length = Number(headers.get('content-length') ?? Number.NaN);
  if (length <= smallBytes) return allOf(incoming);
  // Whoever stops reading refuses the body, and still answers: for a moment the rest is taken after that.
  return { [Symbol.asyncIterator]: () => incoming.iterator({ destroyOnReturn: false }) };
}

function allOf(incoming: NodeRequest): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    const isGone = () => reject(new Error('the client went away before its body was there'));
    incoming
      .on('data', (chunk: Uint8Array) => chunks.push(chunk))
      .on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
      .on('error', isGone)
      .on('close', isGone);
  });
}

function leftBody({ rawBody, body }: NodeRequest, headers: Headers): string | Uint8Array {
  const left = rawBody ?? body;
  if (left === undefined) {
    throw refuse(500, 'the body was read before and is nowhere: mount the API before what reads it');
  }
  // It may have come compressed, and was read; its length is another now.
  headers.delete('content-encoding');
  headers.delete('content-length');
  return typeof left === 'string' || left instanceof Uint8Array ? left : JSON.stringify(left);
}

import type { Readable } from 'node:stream';
import {
  type Asked,
  brokeOff,
  type Content,
  type HeaderReader,
  readBefore,
  smallBytes,
  withoutBody,
} from './exchange.js';
import { Refusal, refuse } from './refusal.js';

/** The part of a node:http or node:http2 request that is needed, and what frameworks add to one. */
export interface NodeRequest extends Readable {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersionMajor: number;
  /** Names and values alternate, as received. */
  readonly rawHeaders: readonly string[];
  /** Whether the whole request has been received. */
  readonly complete: boolean;
  /** Whether the client has disconnected. In HTTP/2 a body that was not read by then reads as empty. */
  readonly aborted?: boolean | undefined;
  /** The complete path, if a framework has removed the prefix of the mount point. */
  readonly originalUrl?: unknown;
  /** The raw body, if a parser has kept it. */
  readonly rawBody?: unknown;
  /** The body as a parser has parsed it. */
  readonly body?: unknown;
}

/** A request of Node. Its web-standard form gets the body that is passed to `request`. */
export interface NodeAsked extends Asked {
  content(): Content | null;
  request(content?: Content | null): Request;
}

/** Methods that `Request` refuses (Fetch, 2.2.1). No call uses them. */
const forbidden = new Set(['TRACE', 'TRACK', 'CONNECT']);

export async function askedOf(incoming: NodeRequest): Promise<NodeAsked> {
  const { method = 'GET' } = incoming;
  const headers = new NodeHeaders(incoming);
  const isBare = withoutBody.has(method) || hasNoBody(incoming, headers);
  const content = isBare ? null : await contentOf(incoming, headers);
  return {
    method,
    headers,
    url: () => urlOf(incoming),

    content() {
      if (content instanceof Refusal) throw content;
      return content;
    },

    request(given = isBare ? null : untouchable()) {
      if (forbidden.has(method.toUpperCase())) throw refuse(405, `no path takes ${method}`);
      const init = { method, headers: headers.forWeb(), body: given, duplex: 'half' };
      return new Request(urlOf(incoming), init as RequestInit);
    },
  };
}

/**
 * A body that fails when it is read. With an empty one in its place, `auth` could check a signature over a body that
 * was never sent.
 */
const untouchable = () =>
  new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.error(new TypeError('auth must not read the body of the request'));
      },
    },
    { highWaterMark: 0 },
  );

function urlOf({ originalUrl, url = '/' }: NodeRequest): URL {
  const target = typeof originalUrl === 'string' ? originalUrl : url;
  // In `GET http://other.example/x HTTP/1.1` only the path counts. `//other.example/x` is a path, not a host.
  const path = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*(?=\/)/i, '');
  try {
    if (path.startsWith('/')) return new URL(`http://localhost${path}`);
  } catch {
    // Refused below.
  }
  throw refuse(400, 'the path is not valid');
}

/** Headers as received. Of a duplicated header, node:http would show only the first value. */
class NodeHeaders implements HeaderReader {
  readonly #raw: readonly string[];
  readonly #gone = new Set<string>();

  constructor({ rawHeaders }: NodeRequest) {
    this.#raw = rawHeaders;
  }

  get(name: Lowercase<string>): string | null {
    if (this.#gone.has(name)) return null;
    let found: string | null = null;
    for (let i = 0; i < this.#raw.length; i += 2) {
      const other = this.#raw[i]!;
      if (other.length !== name.length || other.toLowerCase() !== name) continue;
      const value = this.#raw[i + 1]!;
      found = found === null ? value : `${found}, ${value}`;
    }
    return found;
  }

  has(name: Lowercase<string>): boolean {
    return this.get(name) !== null;
  }

  delete(name: Lowercase<string>): void {
    this.#gone.add(name);
  }

  forWeb(): Headers {
    const headers = new Headers();
    try {
      for (let i = 0; i < this.#raw.length; i += 2) {
        const name = this.#raw[i]!;
        // HTTP/2 has pseudo-headers, like :path.
        const isOurs = !name.startsWith(':') && !this.#gone.has(name.toLowerCase());
        if (isOurs) headers.append(name, this.#raw[i + 1]!);
      }
    } catch {
      throw refuse(400, 'a header is not valid');
    }
    return headers;
  }
}

/** In HTTP/2 a body needs no header that announces it. */
const hasNoBody = ({ httpVersionMajor }: NodeRequest, headers: HeaderReader): boolean =>
  httpVersionMajor < 2 && !headers.has('transfer-encoding') && !(Number(headers.get('content-length')) > 0);

/** A small body is read completely: otherwise the client could not reuse the connection after the answer. */
function contentOf(
  incoming: NodeRequest,
  headers: NodeHeaders,
): Content | Refusal | Promise<Content | Refusal> {
  // Parsers set `body` even if they have not read the request, so only `readableDidRead` tells.
  if (incoming.readableDidRead) return leftBody(incoming, headers);
  if (incoming.destroyed || incoming.aborted) return brokeOff();
  // As text, bytes that are not UTF-8 would be lost.
  if (incoming.readableEncoding) {
    return refuse(500, 'the body is read as text: mount the API before anything that calls setEncoding');
  }
  const length = Number(headers.get('content-length') ?? Number.NaN);
  if (length <= smallBytes) return allOf(incoming);
  // A reader that stops early refuses the body and still sends an answer: `linger` reads the rest for a moment.
  return { [Symbol.asyncIterator]: () => incoming.iterator({ destroyOnReturn: false }) };
}

function allOf(incoming: NodeRequest): Promise<Uint8Array | Refusal> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    // Every request emits close, also one that was read completely.
    const isGone = () => incoming.readableEnded || resolve(brokeOff());
    incoming
      .on('data', (chunk: Uint8Array) => chunks.push(chunk))
      .on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
      .on('error', isGone)
      .on('close', isGone);
  });
}

function leftBody({ rawBody, body }: NodeRequest, headers: NodeHeaders): string | Uint8Array | Refusal {
  const left = rawBody ?? body;
  if (left === undefined) return readBefore();
  // A parser has decompressed and decoded it: its length has changed.
  headers.delete('content-encoding');
  headers.delete('content-length');
  return typeof left === 'string' || left instanceof Uint8Array ? left : JSON.stringify(left);
}

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

/** What is needed of a request of node:http or node:http2, and what frameworks leave on one. */
export interface NodeRequest extends Readable {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersionMajor: number;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Whether all of it has come. */
  readonly complete: boolean;
  /** Whether its client has left. In HTTP/2 what nobody has read by then reads as a body that is empty. */
  readonly aborted?: boolean | undefined;
  /** The whole path, where a framework has cut off what it was mounted under. */
  readonly originalUrl?: unknown;
  /** What was read of the body already. */
  readonly rawBody?: unknown;
  /** What a parser made of it. */
  readonly body?: unknown;
}

/** A request of Node, asked for; its web-standard form has the body that it is given. */
export interface NodeAsked extends Asked {
  content(): Content | null;
  request(content?: Content | null): Request;
}

/** `Request` does not take these (Fetch, 2.2.1), and no call uses them. */
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

/** An empty body would be taken for what came: signatures of requests are made of it. */
const untouchable = () =>
  new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.error(new TypeError('auth must leave the body of the request alone'));
      },
    },
    { highWaterMark: 0 },
  );

function urlOf({ originalUrl, url = '/' }: NodeRequest): URL {
  const target = typeof originalUrl === 'string' ? originalUrl : url;
  // Of `GET http://other.example/x HTTP/1.1` the path counts; //other.example/x is a path, and no host.
  const path = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*(?=\/)/i, '');
  try {
    if (path.startsWith('/')) return new URL(`http://localhost${path}`);
  } catch {
    // Refused below.
  }
  throw refuse(400, 'the path cannot be read');
}

/** Each as it came: of two that must be one, node:http would show the first, and hide that there are two. */
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
        // HTTP/2 has its own, like :path.
        const isOurs = !name.startsWith(':') && !this.#gone.has(name.toLowerCase());
        if (isOurs) headers.append(name, this.#raw[i + 1]!);
      }
    } catch {
      throw refuse(400, 'a header cannot be read');
    }
    return headers;
  }
}

/** In HTTP/2 a body needs no header to announce it. */
const hasNoBody = ({ httpVersionMajor }: NodeRequest, headers: HeaderReader): boolean =>
  httpVersionMajor < 2 && !headers.has('transfer-encoding') && !(Number(headers.get('content-length')) > 0);

/** A small body as a whole: answered before all of it has come, its client could not use the connection again. */
function contentOf(
  incoming: NodeRequest,
  headers: NodeHeaders,
): Content | Refusal | Promise<Content | Refusal> {
  // Parsers leave `body` behind even where they have not touched a request: what they have read of it counts.
  if (incoming.readableDidRead) return leftBody(incoming, headers);
  if (incoming.destroyed || incoming.aborted) return brokeOff();
  // What is not UTF-8 is lost in it.
  if (incoming.readableEncoding) {
    return refuse(500, 'the body is read as text: mount the API before what calls setEncoding');
  }
  const length = Number(headers.get('content-length') ?? Number.NaN);
  if (length <= smallBytes) return allOf(incoming);
  // Whoever stops reading refuses the body, and still answers: for a moment the rest is taken after that.
  return { [Symbol.asyncIterator]: () => incoming.iterator({ destroyOnReturn: false }) };
}

function allOf(incoming: NodeRequest): Promise<Uint8Array | Refusal> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    // Every request closes in the end: this one may be read by then.
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
  // It may have come compressed, and was read; its length is another now.
  headers.delete('content-encoding');
  headers.delete('content-length');
  return typeof left === 'string' || left instanceof Uint8Array ? left : JSON.stringify(left);
}

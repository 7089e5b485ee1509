import type { Readable } from 'node:stream';
import type { Asked, Content, HeaderReader } from './exchange.js';
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
  /** The whole path, where a framework has cut off what it was mounted under. */
  readonly originalUrl?: unknown;
  /** What was read of the body already. */
  readonly rawBody?: unknown;
  /** What a parser made of it. */
  readonly body?: unknown;
}

/** A request of Node, asked for; its web-standard form has the body that it is given. */
export interface NodeAsked extends Asked {
  request(content?: Content | null): Request;
}

/** Bodies up to this length are read as a whole: most are, and streams are slow. */
const smallBytes = 65_536;
const withoutBody = new Set(['GET', 'HEAD']);
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

    request(content = null) {
      if (forbidden.has(method.toUpperCase())) throw refuse(405, `no path takes ${method}`);
      const init = { method, headers: headers.forWeb(), body: content, duplex: 'half' };
      return new Request(urlOf(incoming), init as RequestInit);
    },
  };
}

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
  readonly #values = new Map<string, string>();

  constructor({ rawHeaders }: NodeRequest) {
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i]!.toLowerCase();
      // HTTP/2 has its own, like :path.
      if (name.startsWith(':')) continue;
      const before = this.#values.get(name);
      const value = rawHeaders[i + 1]!;
      this.#values.set(name, before === undefined ? value : `${before}${joint(name)}${value}`);
    }
  }

  get(name: Lowercase<string>): string | null {
    return this.#values.get(name) ?? null;
  }

  has(name: Lowercase<string>): boolean {
    return this.#values.has(name);
  }

  delete(name: Lowercase<string>): void {
    this.#values.delete(name);
  }

  forWeb(): Headers {
    try {
      return new Headers([...this.#values]);
    } catch {
      throw refuse(400, 'a header cannot be read');
    }
  }
}

/** Cookies are no list (RFC 6265, 5.4; RFC 9113, 8.2.3). */
const joint = (name: string): string => (name === 'cookie' ? '; ' : ', ');

/** In HTTP/2 a body needs no header to announce it. */
const hasNoBody = ({ httpVersionMajor }: NodeRequest, headers: HeaderReader): boolean =>
  httpVersionMajor < 2 && !headers.has('transfer-encoding') && !(Number(headers.get('content-length')) > 0);

/** A small body as a whole: answered before all of it has come, its client could not use the connection again. */
function contentOf(
  incoming: NodeRequest,
  headers: NodeHeaders,
): Content | Refusal | Promise<Content | Refusal> {
  // Parsers leave `body` behind even where they have not touched a request: what they have read of it counts.
  if (incoming.readableDidRead || incoming.destroyed) return leftBody(incoming, headers);
  const length = Number(headers.get('content-length') ?? Number.NaN);
  if (length <= smallBytes) return allOf(incoming);
  // Whoever stops reading refuses the body, and still answers: for a moment the rest is taken after that.
  return { [Symbol.asyncIterator]: () => incoming.iterator({ destroyOnReturn: false }) };
}

function allOf(incoming: NodeRequest): Promise<Uint8Array | Refusal> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    const isGone = () => resolve(refuse(400, 'the body broke off'));
    incoming
      .on('data', (chunk: Uint8Array) => chunks.push(chunk))
      .on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
      .on('error', isGone)
      .on('close', isGone);
  });
}

function leftBody({ rawBody, body }: NodeRequest, headers: NodeHeaders): string | Uint8Array | Refusal {
  const left = rawBody ?? body;
  if (left === undefined) {
    return refuse(500, 'the body was read before and is nowhere: mount the API before what reads it');
  }
  // It may have come compressed, and was read; its length is another now.
  headers.delete('content-encoding');
  headers.delete('content-length');
  return typeof left === 'string' || left instanceof Uint8Array ? left : JSON.stringify(left);
}

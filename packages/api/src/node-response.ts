import type { Readable } from 'node:stream';
import type { Reply } from './exchange.js';

/** The part of a node:http or node:http2 response that is needed. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  /** The stream of HTTP/2. Some versions of Node throw if headers are written to a closed one. */
  readonly stream?: { readonly closed: boolean };
  setHeader(name: string, value: string): unknown;
  appendHeader(name: string, value: string): unknown;
  writeHead(status: number, headers: Readonly<Record<string, string | number>>): unknown;
  readonly flushHeaders?: () => void;
  write(chunk: string | Uint8Array): boolean;
  end(chunk: string): unknown;
  end(): unknown;
  destroy(): unknown;
  on(event: 'close' | 'drain', listener: () => void): unknown;
}

/** The request that is being answered. */
type Asking = Pick<Readable, 'on' | 'resume'> & {
  readonly httpVersionMajor: number;
  readonly complete: boolean;
};

/** How much of a refused body is still read, and for how long, so that the client can read the answer. */
const lingerBytes = 1_048_576;
const lingerMs = 1_000;

/**
 * Answers `incoming` with `reply`, no faster than the client reads. If the request body has not been received
 * completely, the connection is closed after the answer, because that body is not read to its end. Rejects if the
 * answer breaks off.
 */
export async function answer(
  { status, headers, content }: Reply,
  incoming: Asking,
  outgoing: NodeResponse,
): Promise<void> {
  const isWhole = typeof content === 'string' || content === null;
  // Another handler has answered already, or the client has disconnected.
  if (outgoing.headersSent || outgoing.destroyed || outgoing.stream?.closed)
    return isWhole ? undefined : content.cancel();
  const isUnread = incoming.httpVersionMajor < 2 && !incoming.complete;
  if (typeof content === 'string' && !isUnread && !(headers instanceof Headers)) {
    outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(content) });
    outgoing.end(content);
    return;
  }
  outgoing.statusCode = status;
  for (const [name, value] of headers instanceof Headers ? headers : Object.entries(headers)) {
    if (name === 'set-cookie') outgoing.appendHeader(name, value);
    else outgoing.setHeader(name, value);
  }
  if (isUnread) outgoing.setHeader('connection', 'close');

  if (isWhole && !isUnread) {
    outgoing.end(content ?? '');
    return;
  }
  const isRead = await stream(isWhole ? [content ?? ''] : content, outgoing);
  if (isUnread && isRead) await linger(incoming, outgoing);
  outgoing.end();
}

/** Resolves to whether the client stayed connected to the end. */
async function stream(
  content: AsyncIterable<Uint8Array> | readonly string[],
  outgoing: NodeResponse,
): Promise<boolean> {
  let isGone = false;
  let goOn = () => {};
  outgoing.on('drain', () => goOn());
  outgoing.on('close', () => {
    isGone = true;
    goOn();
  });
  outgoing.flushHeaders?.();
  for await (const chunk of content) {
    // Returning from the loop cancels the body.
    if (isGone) return false;
    const drained = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    if (!outgoing.write(chunk) && !isGone) await drained;
  }
  return !isGone;
}

/** A connection that is closed with unread bytes is reset, and the client may not see the answer (RFC 9112, 9.6). */
function linger(incoming: Asking, outgoing: NodeResponse): Promise<void> {
  return new Promise<void>((resolve) => {
    let left = lingerBytes;
    const timer = setTimeout(resolve, lingerMs);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    outgoing.on('close', done);
    incoming
      .on('end', done)
      .on('error', done)
      .on('data', (chunk: Uint8Array) => {
        left -= chunk.length;
        if (left < 0) done();
      });
    incoming.resume();
  });
}

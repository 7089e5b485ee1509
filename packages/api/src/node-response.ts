import type { Readable } from 'node:stream';
import type { Reply } from './exchange.js';

/** What is needed of a response of node:http or node:http2. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  /** That of HTTP/2: some versions of Node throw where headers are written to one that is gone. */
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

/** The request that is answered. */
type Asking = Pick<Readable, 'on' | 'resume'> & {
  readonly httpVersionMajor: number;
  readonly complete: boolean;
};

/** So much of a body that nobody wants is still taken, in so long, that its client gets to read the answer. */
const lingerBytes = 1_048_576;
const lingerMs = 1_000;

/**
 * Answers `incoming` with `reply`, as fast as the client reads and no faster. A connection on which a body is still
 * coming is closed after it: that body is not read to its end. Rejects where the answer fails halfway.
 */
export async function answer(
  { status, headers, content }: Reply,
  incoming: Asking,
  outgoing: NodeResponse,
): Promise<void> {
  const isWhole = typeof content === 'string' || content === null;
  // Somebody has answered, or nobody is there any more.
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

/** Whether the client has stayed to the end. */
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
    // Leaving the loop cancels the body.
    if (isGone) return false;
    const room = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    if (!outgoing.write(chunk) && !isGone) await room;
  }
  return !isGone;
}

/** A connection that is closed with bytes unread is reset, and the client may never see what it was answered (RFC 9112, 9.6). */
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

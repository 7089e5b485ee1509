import { isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import type { Connecting } from './connecting.js';
import { dial, findToDial } from './dial.js';
import type { ProxyAddress } from './policy.js';
import type { Resolve } from './resolve.js';
import { portOf } from './url.js';

/** Cap on the head of the response to CONNECT. */
const maxAnswerBytes = 8 * 1024;

/** A status line (RFC 9112 §4). */
const statusLine = /^HTTP\/1\.[01] (\d{3})(?: [^\n]*)?\r\n/;

/** The empty line that ends a head. A bare LF matches too: a proxy that sends one sends no other end. */
const emptyLine = /\n\r?\n/;

/** An interim response (RFC 9110 §15.2). A 101 is not interim: CONNECT does not ask for an upgrade. */
const interim = /^HTTP\/1\.[01] 1(?!01)\d\d/;

/** The proxy failed: it cannot be reached, or it opens no tunnel. */
class ProxyError extends Error {
  override readonly name = 'ProxyError';
}

/** The proxy's address, and how to resolve and trust it. */
export interface Proxy extends ProxyAddress {
  readonly secureContext: SecureContext;
  readonly resolve: Resolve;
}

/**
 * Opens a tunnel through a forward proxy by CONNECT (RFC 9110 §9.3.6). `onOpen` receives the socket, which is connected
 * to the target from then on.
 */
export async function connectToProxy(
  proxy: Proxy,
  target: buildConnector.Options,
  connecting: Connecting,
  onOpen: (socket: Socket) => void,
): Promise<void> {
  const { isTls, host, port, secureContext, resolve } = proxy;
  const fail = (message: string): void => connecting.fail(new ProxyError(message));
  const onError = (error: Error & { code?: string }): void =>
    fail(`the proxy cannot be reached (${error.code ?? error.name})`);

  function ask(socket: Socket): void {
    socket.once('close', () => fail('the proxy closed the connection'));
    socket.write(connectRequest(proxy, target));
    readAnswer(socket, (answer) => {
      const [, status] = statusLine.exec(answer) ?? [];
      if (status?.startsWith('2')) onOpen(socket);
      else fail(`the proxy answered CONNECT ${status ? `with ${status}` : 'with something other than HTTP'}`);
    });
  }

  function beginTls(socket: Socket): void {
    const servername = isIP(host) ? '' : host;
    const secure = connectTls({ socket, servername, host, secureContext, rejectUnauthorized: true });
    connecting.hold(secure);
    secure.on('error', onError);
    secure.once('secureConnect', () => ask(secure));
  }

  try {
    const found = isIP(host) ? { addresses: [host] } : await findToDial(resolve, host);
    dial(connecting, found, port, isTls ? beginTls : ask, onError);
  } catch (error) {
    onError(error as Error);
  }
}

function connectRequest({ authorization }: Proxy, target: buildConnector.Options): string {
  const { hostname } = target;
  const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname;
  const authority = `${host}:${portOf(target)}`;
  const credentials = authorization === undefined ? '' : `proxy-authorization: ${authorization}\r\n`;
  return `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`;
}

/** Reads the first response that is not 1xx. Bytes after it belong to the target and stay on the socket. */
function readAnswer(socket: Socket, onAnswer: (head: string) => void): void {
  let unread = Buffer.alloc(0);
  let length = 0;
  const read = (): void => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      length += chunk.length;
      unread = Buffer.concat([unread, chunk]);
      let head = headOf(unread);
      while (interim.test(head)) {
        unread = unread.subarray(head.length);
        head = headOf(unread);
      }
      if (head === '' && length <= maxAnswerBytes) continue;
      socket.off('readable', read);
      if (unread.length > head.length) socket.unshift(unread.subarray(head.length));
      onAnswer(head);
      return;
    }
  };
  socket.on('readable', read);
}

/** Returns the first response up to its empty line, or an empty string if that has not arrived yet. */
function headOf(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  const found = emptyLine.exec(text);
  return found ? text.slice(0, found.index + found[0].length) : '';
}

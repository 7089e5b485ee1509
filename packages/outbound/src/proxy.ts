import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import type { ProxyAddress } from './policy.js';

/** More than that before the empty line is no answer to CONNECT. */
const maxAnswerBytes = 8 * 1024;

/** RFC 9112 §4. */
const statusLine = /^HTTP\/1\.[01] (\d{3})(?: [^\n]*)?\r\n/;

/** The empty line, be it ended as it has to be or not: more does not come. */
const emptyLine = /\n\r?\n/;

/** A proxy that is there, and does not open the way. */
class ProxyError extends Error {
  override readonly name = 'ProxyError';
}

/** Where the proxy is, and whom to trust there. */
export interface Proxy extends ProxyAddress {
  readonly secureContext: SecureContext;
}

/**
 * A connection by way of a forward proxy: CONNECT (RFC 9110 §9.3.6), then TLS with the target itself where it is
 * `https:`. Returns the socket to the proxy, which carries all of it and is the caller's to destroy.
 */
export function connectToProxy(
  proxy: Proxy,
  target: buildConnector.Options,
  beginTls: buildConnector.connector,
  callback: buildConnector.Callback,
): Socket {
  const { isTls, host, port, secureContext } = proxy;
  const socket = isTls
    ? connectTls({ host, port, servername: isIP(host) ? '' : host, secureContext, rejectUnauthorized: true })
    : connectTcp({ host, port });
  let isOver = false;
  const end: buildConnector.Callback = (...connected) => {
    if (isOver) return;
    isOver = true;
    callback(...connected);
  };
  socket.setNoDelay(true);
  socket.on('error', (error: Error & { code?: string }) => {
    const isTimeout = error.name === 'ConnectTimeoutError';
    end(
      isTimeout ? error : new ProxyError(`the proxy cannot be reached (${error.code ?? error.name})`),
      null,
    );
  });
  socket.once('close', () => end(new ProxyError('the proxy closed the connection'), null));
  socket.once(isTls ? 'secureConnect' : 'connect', () => {
    socket.write(connectRequest(proxy, target));
    readAnswer(socket, (answer) => {
      const [, status] = statusLine.exec(answer) ?? [];
      if (!status?.startsWith('2')) {
        const error = new ProxyError(
          `the proxy answered CONNECT ${status ? `with ${status}` : 'with no HTTP'}`,
        );
        end(error, null);
        socket.destroy();
      } else if (target.protocol === 'https:') {
        beginTls({ ...target, httpSocket: socket }, end);
      } else {
        end(null, socket);
      }
    });
  });
  return socket;
}

function connectRequest(
  { authorization }: Proxy,
  { hostname, port, protocol }: buildConnector.Options,
): string {
  const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname;
  const authority = `${host}:${port || (protocol === 'https:' ? 443 : 80)}`;
  const credentials = authorization === undefined ? '' : `proxy-authorization: ${authorization}\r\n`;
  return `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`;
}

/** Reads up to the empty line and leaves the rest, which is the target's, on the socket. */
function readAnswer(socket: Socket, onAnswer: (answer: string) => void): void {
  let answer = Buffer.alloc(0);
  const read = (): void => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      answer = Buffer.concat([answer, chunk]);
      const text = answer.toString('latin1');
      const found = emptyLine.exec(text);
      if (!found && answer.length <= maxAnswerBytes) continue;
      socket.off('readable', read);
      const end = found ? found.index + found[0].length : 0;
      if (found && answer.length > end) socket.unshift(answer.subarray(end));
      onAnswer(text.slice(0, end));
      return;
    }
  };
  socket.on('readable', read);
}

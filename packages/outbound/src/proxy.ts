import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';

/** More than that before the empty line is no answer to CONNECT. */
const maxAnswerBytes = 8 * 1024;

const accepted = /^HTTP\/1\.[01] 2\d\d[ \r]/;

/** A proxy that is there, and does not open the way. */
class ProxyError extends Error {
  override readonly name = 'ProxyError';
}

/** Where the proxy is, and whom to trust there. */
export interface Proxy {
  readonly url: URL;
  readonly secureContext: SecureContext;
}

/**
 * A connection by way of a forward proxy: CONNECT (RFC 9110 §9.3.6), then TLS with the target itself where it is
 * `https:`. Returns the socket to the proxy, which carries all of it and is the caller's to destroy.
 */
export function connectToProxy(
  { url: proxy, secureContext }: Proxy,
  target: buildConnector.Options,
  beginTls: buildConnector.connector,
  callback: buildConnector.Callback,
): Socket {
  const isTls = proxy.protocol === 'https:';
  const host = proxy.hostname.replace(/^\[|\]$/g, '');
  const port = Number(proxy.port) || (isTls ? 443 : 80);
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
      if (!accepted.test(answer)) {
        const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(answer) ?? [];
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

function connectRequest(proxy: URL, { hostname, port, protocol }: buildConnector.Options): string {
  const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname;
  const authority = `${host}:${port || (protocol === 'https:' ? 443 : 80)}`;
  const user = decodeURIComponent(proxy.username);
  const credentials = Buffer.from(`${user}:${decodeURIComponent(proxy.password)}`).toString('base64');
  const authorization = user === '' ? '' : `proxy-authorization: Basic ${credentials}\r\n`;
  return `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${authorization}\r\n`;
}

/** Reads up to the empty line and leaves the rest, which is the target's, on the socket. */
function readAnswer(socket: Socket, onAnswer: (answer: string) => void): void {
  let answer = Buffer.alloc(0);
  const read = (): void => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      answer = Buffer.concat([answer, chunk]);
      const end = answer.indexOf('\r\n\r\n');
      if (end < 0 && answer.length <= maxAnswerBytes) continue;
      socket.off('readable', read);
      if (end >= 0 && answer.length > end + 4) socket.unshift(answer.subarray(end + 4));
      onAnswer(end < 0 ? '' : answer.toString('latin1', 0, end + 2));
      return;
    }
  };
  socket.on('readable', read);
}

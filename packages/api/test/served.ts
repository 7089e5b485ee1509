import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** The address of a test's server. The server and all its connections are closed after the test. */
async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export async function served(
  listener: RequestListener,
  options: ServerOptions = {},
): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer(options, listener);
  return { server, origin: await listening(server) };
}

/** A raw connection, to send what no client would send. */
export async function socketTo(origin: string): Promise<Socket> {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/**
 * What is answered to these lines of a request and this body; the request asks for the connection to be closed. A
 * server that answers before it has read all may reset the connection after that: what came before counts.
 */
export async function raw(origin: string, lines: readonly string[], body = ''): Promise<RawAnswer> {
  const socket = await socketTo(origin);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text;
  });
  socket.write([...lines, 'host: api.test', 'connection: close', '', body].join('\r\n'));
  // `once` of node:events would reject if the connection is reset.
  await new Promise((resolve) => socket.once('close', resolve));
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), head: head.toLowerCase(), body: rest.join('\r\n\r\n') };
}

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** A receiver that parses no more of HTTP than the end of a request, so that it can answer anything. */
export interface RawReceiver {
  readonly url: string;
  readonly port: number;
  /** Every complete request, as text. */
  readonly requests: readonly string[];
  /** All connections, including those that have ended. */
  readonly sockets: readonly Socket[];
  /** The number of open connections. */
  open(): number;
  /** Ends every connection, and stops listening. */
  close(): Promise<void>;
}

/** Answers the request with this number on a raw socket. */
export type Answer = (socket: Socket, request: string, number: number) => void;

/** Options of `rawReceiver`. */
export interface RawReceiverOptions {
  readonly tls?: TlsOptions;
  readonly host?: string;
  /** Default: a free port. */
  readonly port?: number;
  readonly onConnection?: (socket: Socket) => void;
}

/** Starts a receiver on a free port. */
export async function rawReceiver(answer: Answer, options: RawReceiverOptions = {}): Promise<RawReceiver> {
  const requests: string[] = [];
  const sockets: Socket[] = [];
  const open = new Set<Socket>();
  /** TCP sockets, because a TLS handshake that never ends has one, too. */
  const accepted = new Set<Socket>();

  const accept = (socket: Socket): void => {
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    sockets.push(socket);
    open.add(socket);
    for (const tcp of accepted) if (tcp.remotePort === socket.remotePort) tcpSockets.set(socket, tcp);
    options.onConnection?.(socket);
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      for (;;) {
        const head = received.indexOf('\r\n\r\n');
        if (head < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(received.slice(0, head))?.[1] ?? 0);
        const end = head + 4 + length;
        if (received.length < end) return;
        const request = received.slice(0, end);
        received = received.slice(end);
        requests.push(request);
        answer(socket, request, requests.length);
      }
    });
  };

  const server = options.tls ? createTlsServer(options.tls) : createServer();
  server.on('tlsClientError', () => {});
  server.on('connection', (socket: Socket) => {
    accepted.add(socket);
    socket.on('close', () => accepted.delete(socket));
  });
  server.on(options.tls ? 'secureConnection' : 'connection', accept);
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}/hook`,
    port,
    requests,
    sockets,
    open: () => open.size,
    async close() {
      for (const socket of accepted) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Formats a complete response. */
export const response = (status: number | string, body = '', headers = ''): string =>
  `HTTP/1.1 ${status} X\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** Writes `text` one character every few milliseconds, repeatedly, until the other side disconnects. */
export function trickle(socket: Socket, text: string, everyMs = 5): void {
  let i = 0;
  const timer = setInterval(() => socket.write(text[i++ % text.length]!), everyMs);
  socket.on('close', () => clearInterval(timer));
}

/** Writes `text` repeatedly, as fast as it is read. */
export function flood(socket: Socket, text: string): void {
  const write = (): void => {
    if (!socket.destroyed) socket.write(text, () => setImmediate(write));
  };
  write();
}

/** Answers after `ms`. */
export function answerAfter(socket: Socket, ms: number, text: string): void {
  setTimeout(() => socket.write(text), ms);
}

/** Returns a port without a listener. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** The TCP socket below each TLS socket. */
const tcpSockets = new WeakMap<Socket, Socket>();

/** Ends the connection with a RST, with or without TLS. */
export function reset(socket: Socket): void {
  (tcpSockets.get(socket) ?? socket).resetAndDestroy();
}

/**
 * Resets the connection after `ms`, so that what was written before is read first: sent together, they would read as a
 * reset only.
 */
export function resetAfter(socket: Socket, ms: number): void {
  setTimeout(() => reset(socket), ms);
}

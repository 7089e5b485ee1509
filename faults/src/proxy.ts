import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

type ProxyMode = 'pass' | 'hole' | 'reset';

/**
 * A TCP proxy that forwards everything, drops everything, or resets: for a server that is down, or that is up but
 * silent.
 */
export interface Proxy {
  readonly port: number;
  /** Applies to open connections and to new ones. */
  mode: ProxyMode;
  close(): void;
}

export function proxyTo(port: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const proxy = { port: 0, mode: 'pass' as ProxyMode, close: () => {} };
  const server = createServer((inner) => {
    const outer = connect(port, '127.0.0.1');
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        (socket === inner ? outer : inner).destroy();
      });
    }
    inner.on('data', (data) => pass(data, inner, outer));
    outer.on('data', (data) => pass(data, outer, inner));
  });
  function pass(data: Buffer, from: Socket, to: Socket): void {
    if (proxy.mode === 'pass') to.write(data);
    if (proxy.mode === 'reset') {
      from.resetAndDestroy();
      to.resetAndDestroy();
    }
  }
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      proxy.port = (server.address() as AddressInfo).port;
      proxy.close = () => {
        server.close();
        for (const socket of sockets) socket.destroy();
      };
      resolve(proxy);
    });
  });
}

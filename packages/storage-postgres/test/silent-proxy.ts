import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A proxy to a server that can be silenced: it accepts what is sent, answers nothing, and closes no connection. */
export interface SilentProxy {
  readonly url: string;
  isSilent: boolean;
}

/** Starts a proxy to the server of a database. It ends with the test. */
export async function silentProxy(database: string): Promise<SilentProxy> {
  const target = new URL(database);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('data', (data) => {
        if (!proxy.isSilent) to.write(data);
      });
      // A server that has gone away neither reports it nor is told.
      from.on('close', () => {
        sockets.delete(from);
        if (!proxy.isSilent) to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = Object.assign(new URL(database), { hostname: '127.0.0.1', port: String(port) }).href;
  const proxy = { url, isSilent: false };
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return proxy;
}

import { type AddressInfo, createServer } from 'node:net';

/*
 * A listener with a backlog of one connection, which is never accepted. While this process is stopped, the next SYN is
 * dropped.
 */

const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  process.send!((server.address() as AddressInfo).port);
});

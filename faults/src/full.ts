import { type AddressInfo, createServer } from 'node:net';

/* A listener with room for one connection that nobody takes. When this process is stopped, the next SYN is dropped. */

const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  process.send!((server.address() as AddressInfo).port);
});

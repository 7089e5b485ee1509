import { createServer } from 'node:http';

/** Accepts one connection at a time, and none for a while when told to sleep. */
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => response.end('slow'));
});

server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => process.send(server.address().port));

process.once('message', () => {
  process.send('sleeping', () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
  });
});

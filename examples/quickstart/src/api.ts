import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createApi, toNode } from '@posthorn/api';
import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher, scopes } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';

/* The management API to try out, on a memory storage, and an endpoint on the same port that receives events. */

const host = '127.0.0.1';

const dispatcher = createDispatcher({
  storage: memoryStorage(),
  channels: [httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: [host] } } })], // the endpoint is on this machine
});
const { key } = await dispatcher.apiKeys.create({ name: 'To try', mode: 'test', scopes: [...scopes] });
const api = toNode(createApi(dispatcher));

const server = createServer(async (request, response) => {
  if (request.url !== '/hooks') return api(request, response);
  const body = await buffer(request).catch(() => undefined);
  console.log(`received ${request.headers['webhook-id']}: ${body}`);
  response.writeHead(204).end();
});
server.on('error', ({ message }) => {
  console.error(`${message}: set PORT=4200 to use another port`);
  process.exit(1);
});
server.listen(Number(process.env.PORT ?? 4100), host, () => {
  dispatcher.start();
  const { port } = server.address() as AddressInfo;
  console.log(`The management API is running. Stop it with Ctrl-C. In another terminal:

export API=http://${host}:${port}/v1/organizations
export KEY=${key}
`);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
    void dispatcher.stop();
  });
}

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { ntfyChannel } from './ntfy-channel.js';

// A stand-in for ntfy.sh that prints what a phone would show.
const server = createServer(async (request, response) => {
  console.log(await text(request));
  response.end('{}');
}).listen(0, '127.0.0.1');
await once(server, 'listening');

const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
const outbound = { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } };
const dispatcher = createDispatcher({
  storage: memoryStorage(),
  channels: [ntfyChannel(url, { hosts: ['127.0.0.1'], outbound })],
});

await dispatcher.webhooks.create({
  name: 'Shop floor',
  eventTypes: ['order.*'],
  channels: [
    {
      channel: 'ntfy',
      configs: { topic: 'orders-5b1f7c', message_template: '{{ event_type }}: {{ metadata.total }} €' },
    },
  ],
});
await dispatcher.dispatch('order.placed', { orderId: 'o1', total: 42 });
await dispatcher.dispatch('order.shipped', { orderId: 'o1', total: 42 });
await dispatcher.drain();

server.closeAllConnections();
server.close();

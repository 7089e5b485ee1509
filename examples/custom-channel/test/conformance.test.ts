import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Answer, channelConformance, type Received } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { ntfyChannel } from '../src/ntfy-channel.js';

/** The answers of the receiver. `quoted` is everything that it got, for `echo`. */
const answers: Record<Answer, (response: ServerResponse, quoted: string, seconds: number) => void> = {
  success: (response) => response.end('{"id":"sPs71M8A2T"}'),
  failure: (response) => response.writeHead(500).end('out of order'),
  refusal: (response) => response.end('<html><body>Blocked by the proxy</body></html>'),
  rate_limited: (response, _, seconds) =>
    response.writeHead(429, { 'retry-after': String(seconds) }).end('{"code":42901,"http":429}'),
  gone: (response) => response.writeHead(410).end('gone'),
  echo: (response, quoted) => response.writeHead(500).end(quoted),
  flood: (response) => response.end('x'.repeat(1024 * 1024)),
  hangup: (response) => response.destroy(),
  never: () => undefined,
};

channelConformance({
  runner: { describe, test },
  async open() {
    let how: Answer = 'success';
    let waitSeconds = 1;
    const received: Received[] = [];
    const server = createServer(async (request, response) => {
      const body = await text(request).catch(() => undefined);
      if (body === undefined) return;
      received.push({ parts: { message: JSON.parse(body).message } });
      answers[how](response, `${JSON.stringify(request.headers)} ${body}`, waitSeconds);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const outbound = { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } };
    return {
      channel: ntfyChannel(url, { hosts: ['127.0.0.1'], outbound }),
      configs: [
        { topic: 'orders-5b1f7c' },
        { topic: 'orders-5b1f7c', message_template: '{{ event_type }} {{ metadata.orderId }}' },
        { topic: 'orders-5b1f7c', message_template: null },
      ],
      secrets: ['orders-5b1f7c'],
      answer: (next, seconds = 1) => {
        how = next;
        waitSeconds = seconds;
      },
      received: () => received,
      async close() {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      },
    };
  },
  skip: {
    'answers/a receiver that is gone for good is gone, so that its webhook can be paused':
      'every topic exists: ntfy creates it on first use',
    'the payload reaches the receiver unchanged': 'a push message says what happened in a line',
    'the event id is what reaches the receiver, the same with every attempt': 'a phone has no use for one',
  },
});

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Answer, channelConformance, type Received } from '@posthorn/testing';
import { describe, test } from 'vitest';
import { httpChannel } from '../src/index.js';

const token = 'Bearer conformance-token';

/** The behaviour of the receiver. `quoted` is the request it received, for the one that echoes. */
const answers: Record<Answer, (response: ServerResponse, quoted: string, seconds: number) => void> = {
  success: (response) => response.end('thanks'),
  failure: (response) => response.writeHead(500).end('out of order'),
  refusal: (response) => response.end('{"ok":false}'),
  rate_limited: (response, _, seconds) =>
    response.writeHead(429, { 'retry-after': String(seconds) }).end('too many'),
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
      received.push({
        eventId: String(request.headers['webhook-id']),
        payload: JSON.parse(body).metadata,
        parts: { body },
      });
      answers[how](response, `${JSON.stringify(request.headers)} ${body}`, waitSeconds);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    return {
      channel: httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } }),
      configs: [
        { url },
        { url, method: 'PUT', timeout: 5, headers: { authorization: token } },
        { url, headers: null, payload_template: null },
        { url, payload_template: { metadata: '{{ metadata }}' } },
      ],
      secrets: [token],
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
    'answers/a receiver that has met its limit is busy, and nothing has failed':
      'a stranger documents no limit: its 429 has failed, and what it asks for is waited',
    'answers/a no in the body of an answer is a no, whatever its status says':
      'a stranger says no by its status',
  },
});

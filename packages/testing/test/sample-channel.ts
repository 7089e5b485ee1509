import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Channel, delivered, failed, type Message } from '@posthorn/core';
import { z } from 'zod';
import type { Answer, ChannelUnderTest, Received } from '../src/index.js';

export interface SampleConfigs {
  readonly url: string;
  readonly token?: string | undefined;
}

/** A channel that keeps every promise, as plain as can be: for proving the suite, on loopback only. */
export const sampleChannel: Channel<SampleConfigs> = {
  type: 'sample',
  config: z.strictObject({ url: z.url(), token: z.string().optional() }),
  async send({ event, configs }, signal) {
    try {
      const answer = await fetch(configs.url, {
        method: 'POST',
        headers: { 'x-event-id': event.id, 'x-token': configs.token ?? '' },
        body: event.payload,
        signal,
      });
      const whole = configs.token
        ? (await answer.text()).replaceAll(configs.token, '***')
        : await answer.text();
      const report = { status: answer.status, response: whole.slice(0, 16 * 1024) };
      return answer.ok ? delivered(report) : failed('http_status', `answered ${answer.status}`, report);
    } catch {
      return failed(signal.aborted ? 'timeout' : 'reset', 'the connection ended');
    }
  },
  preview: async ({ event }) => [{ name: 'body', type: 'application/json', text: event.payload }],
};

const answers: Record<Answer, (response: ServerResponse, request: IncomingMessage, body: string) => void> = {
  success: (response) => response.end('thanks'),
  failure: (response) => response.writeHead(500).end('out of order'),
  echo: (response, { headers }, body) => response.writeHead(500).end(`${JSON.stringify(headers)} ${body}`),
  flood: (response) => response.end('x'.repeat(1024 * 1024)),
  hangup: (response) => response.destroy(),
  never: () => undefined,
};

/** `channel` and a receiver of its own. */
export async function openChannel<Configs>(channel: Channel<Configs>): Promise<ChannelUnderTest<Configs>> {
  let how: Answer = 'success';
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return;
    received.push({ eventId: String(request.headers['x-event-id']), payload: parsed(body) });
    answers[how](response, request, body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    channel,
    configs: [{ url, token: 'token-7d1c' }, { url: `${url}other` }],
    secrets: ['token-7d1c'],
    answer: (next) => {
      how = next;
    },
    received: () => received,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

/** For a flaw that sends what it was not asked to. */
export const withEvent = <Configs>(
  message: Message<Configs>,
  change: Partial<Message['event']>,
): Message<Configs> => ({ ...message, event: { ...message.event, ...change } });

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Channel } from '@posthorn/core';
import { delivered, failed, gone, type Message, rateLimited, rejected } from '@posthorn/core/channel';
import { z } from 'zod';
import type { Answer, ChannelUnderTest, Received } from '../src/index.js';

export interface SampleConfigs {
  readonly url: string;
  readonly token?: string | undefined;
}

/** A minimal channel that keeps every promise, to test the suite with. On loopback only. */
export const sampleChannel: Channel<SampleConfigs> = {
  type: 'sample',
  config: z.strictObject({ url: z.url(), token: z.string().optional() }),
  secretPaths: [['token']],
  supportsDigests: true,
  async send(message, signal) {
    const { event, configs } = message;
    try {
      const answer = await fetch(configs.url, {
        method: 'POST',
        headers: { 'x-event-id': event.id, 'x-token': configs.token ?? '' },
        body: bodyOf(message),
        signal,
      });
      const whole = configs.token
        ? (await answer.text()).replaceAll(configs.token, '***')
        : await answer.text();
      const report = { status: answer.status, response: whole.slice(0, 16 * 1024) };
      if (answer.status === 429) {
        return rateLimited(Number(answer.headers.get('retry-after')) * 1_000, 'too many', report);
      }
      if (answer.status === 410) return gone('http_status', 'there is no such inbox', report);
      if (whole.startsWith('error:')) return rejected('http_status', 'it cannot be read', report);
      return answer.ok ? delivered(report) : failed('http_status', `answered ${answer.status}`, report);
    } catch {
      return failed(signal.aborted ? 'timeout' : 'reset', 'the connection ended');
    }
  },
  preview: async (message) => [{ name: 'body', type: 'application/json', text: bodyOf(message) }],
};

function bodyOf({ event, digest }: Message): string {
  return digest ? `[${digest.map((one) => one.event.payload).join(',')}]` : event.payload;
}

type Respond = (response: ServerResponse, quoted: string, seconds: number) => void;

const answers: Record<Answer, Respond> = {
  success: (response) => response.end('thanks'),
  failure: (response) => response.writeHead(500).end('out of order'),
  refusal: (response) => response.end('error: no such field'),
  rate_limited: (response, _, seconds) =>
    response.writeHead(429, { 'retry-after': String(seconds) }).end('too many'),
  gone: (response) => response.writeHead(410).end('gone'),
  echo: (response, quoted) => response.writeHead(500).end(quoted),
  flood: (response) => response.end('x'.repeat(1024 * 1024)),
  hangup: (response) => response.destroy(),
  never: () => undefined,
};

/** Opens `channel` with a receiver of its own. */
export async function openChannel<Configs>(channel: Channel<Configs>): Promise<ChannelUnderTest<Configs>> {
  let how: Answer = 'success';
  let waitSeconds = 1;
  const received: Received[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return;
    received.push({
      eventId: String(request.headers['x-event-id']),
      payload: parsed(body),
      parts: { body },
    });
    answers[how](response, `${JSON.stringify(request.headers)} ${body}`, waitSeconds);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    channel,
    configs: [{ url, token: 'token-7d1c' }, { url: `${url}other` }],
    secrets: ['token-7d1c'],
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
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

/** For a flaw that sends what it was not asked to send. */
export const withEvent = <Configs>(
  message: Message<Configs>,
  change: Partial<Message['event']>,
): Message<Configs> => ({ ...message, event: { ...message.event, ...change } });

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  type Answer,
  channelConformance,
  checkpointConformance,
  type Received,
  type RecipientAnswer,
} from '@posthorn/testing';
import { type TwilioTrouble, twilioStandIn } from '@posthorn/testing/twilio-stand-in';
import { describe, test } from 'vitest';
import { httpSmsProvider, smsChannel, twilio } from '../src/index.js';

const outbound = { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } };

const configs = [
  { phone_numbers: ['+4915112345678'] },
  { phone_numbers: ['+4915112345678'], message_template: '{{ event_type }}: {{ metadata.orderId }}' },
  { phone_numbers: ['+14155550123'], message_template: null },
];

const noPayload = {
  'the payload reaches the receiver unchanged': 'a text says what happened in a line or two',
};

const neverGone = {
  'a receiver that is gone for good is gone, so that its webhook can be paused':
    'a number that cannot be texted is refused, and the others still get texts',
};

const troubles: Record<Answer, TwilioTrouble | undefined> = {
  success: undefined,
  failure: { code: 20500 },
  refusal: { code: 21610 },
  rate_limited: { code: 20429 },
  gone: { code: 21610 },
  echo: 'echo',
  flood: 'flood',
  hangup: 'hangup',
  never: 'never',
};

describe('through Twilio', () => {
  channelConformance({
    runner: { describe, test },
    async open() {
      const service = await twilioStandIn();
      const { url, accountSid, authToken, from } = service;
      return {
        channel: smsChannel({ provider: twilio({ accountSid, authToken, from, baseUrl: url, outbound }) }),
        configs,
        answer(how, retryAfterSeconds = 1) {
          service.trouble(how === 'rate_limited' ? { code: 20429, retryAfterSeconds } : troubles[how]);
        },
        received: () => service.requests.map(({ body }) => ({ parts: { text: body ?? '' } })),
        close: () => service.close(),
      };
    },
    skip: {
      ...noPayload,
      ...neverGone,
      'the event id is what reaches the receiver, the same with every attempt':
        'a text contains no id, and Twilio has no idempotency key',
    },
  });
});

const codes: Record<RecipientAnswer, number | undefined> = {
  takes: undefined,
  failsForNow: 30003,
  refuses: 21610,
  rate_limited: 20429,
};

checkpointConformance({
  runner: { describe, test },
  async open() {
    const service = await twilioStandIn();
    const { url, accountSid, authToken, from } = service;
    const recipients = Array.from({ length: 12 }, (_, i) => `+49151123456${10 + i}`);
    return {
      channel: smsChannel({ provider: twilio({ accountSid, authToken, from, baseUrl: url, outbound }) }),
      configs: { phone_numbers: recipients },
      recipients,
      answer: (number, how) => service.failNumber(number, codes[how]),
      asked: () => service.requests.map(({ to }) => to!),
      close: () => service.close(),
    };
  },
});

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

describe('through an HTTP provider', () => {
  channelConformance({
    runner: { describe, test },
    async open() {
      let how: Answer = 'success';
      let waitSeconds = 1;
      const received: Received[] = [];
      const server = createServer(async (request, response) => {
        const body = await text(request).catch(() => undefined);
        if (body === undefined) return;
        const { event_id: eventId, text: sent } = JSON.parse(body);
        received.push({ eventId, parts: { text: sent } });
        answers[how](response, `${JSON.stringify(request.headers)} ${body}`, waitSeconds);
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/texts`;
      return {
        channel: smsChannel({
          provider: httpSmsProvider({ url, headers: { authorization: 'Bearer gateway-token' }, outbound }),
        }),
        configs,
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
      ...noPayload,
      ...neverGone,
      'a receiver that has met its limit is busy, and nothing has failed':
        "a gateway of one's own documents no limit: its 429 has failed, and what it asks for is waited",
      'a no in the body of an answer is a no, whatever its status says': 'the gateway says no by its status',
    },
  });
});

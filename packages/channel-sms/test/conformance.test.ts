import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  type Answer,
  channelConformance,
  memoConformance,
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

const troubles: Record<Answer, TwilioTrouble | undefined> = {
  success: undefined,
  failure: { code: 20500 },
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
        answer: (how) => service.trouble(troubles[how]),
        received: () => service.requests.map(() => ({})),
        close: () => service.close(),
      };
    },
    skip: {
      ...noPayload,
      'the event id is what reaches the receiver, the same with every attempt':
        'a text carries no id, and Twilio knows no idempotency key',
    },
  });
});

const codes: Record<RecipientAnswer, number | undefined> = {
  takes: undefined,
  failsForNow: 30003,
  refuses: 21610,
};

memoConformance({
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

const answers: Record<Answer, (response: ServerResponse, quoted: string) => void> = {
  success: (response) => response.end('thanks'),
  failure: (response) => response.writeHead(500).end('out of order'),
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
      const received: Received[] = [];
      const server = createServer(async (request, response) => {
        const body = await text(request).catch(() => undefined);
        if (body === undefined) return;
        received.push({ eventId: JSON.parse(body).event_id });
        answers[how](response, `${JSON.stringify(request.headers)} ${body}`);
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/texts`;
      return {
        channel: smsChannel({
          provider: httpSmsProvider({ url, headers: { authorization: 'Bearer gateway-token' }, outbound }),
        }),
        configs,
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
    },
    skip: noPayload,
  });
});

import type { Verdict } from '@posthorn/core/channel';
import { until } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { smsConfigs } from '../src/configs.js';
import {
  type SmsChannelOptions,
  type SmsProvider,
  type SmsResult,
  smsChannel,
  twilio,
} from '../src/index.js';
import { event, loopback, message, standIn } from './message.js';

const numbers = ['+4915112345601', '+4915112345602', '+4915112345603', '+4915112345604'] as const;
const [one, two, three, four] = numbers;
const signal = new AbortController().signal;

const sent: SmsResult = { outcome: 'delivered', status: 201, response: 'SM1' };
const down: SmsResult = { outcome: 'failed', kind: 'http_status', message: 'is down', status: 503 };
const optedOut: SmsResult = {
  outcome: 'rejected',
  kind: 'http_status',
  message: 'has opted out',
  status: 400,
};

/** Creates a provider with given answers per number. It records the numbers tried. */
function provider(answers: Record<string, SmsResult | Error | unknown> = {}) {
  const tried: string[] = [];
  const send: SmsProvider['send'] = async ({ to }) => {
    tried.push(to);
    const answer = to in answers ? answers[to] : sent;
    if (answer instanceof Error) throw answer;
    return answer as SmsResult;
  };
  return { tried, send, answers };
}

const channelOf = (given: SmsProvider, options: Partial<SmsChannelOptions> = {}) =>
  smsChannel({ provider: given, ...options });

/** Returns the message for the next attempt, as the engine builds it. */
const checkpointOf = (verdict: Verdict) =>
  'checkpoint' in verdict && verdict.checkpoint !== undefined ? { checkpoint: verdict.checkpoint } : {};

describe('several numbers', () => {
  test('each gets the text once', async () => {
    const given = provider();
    const verdict = await channelOf(given).send(message({ phone_numbers: numbers }), signal);
    expect(given.tried).toEqual(numbers);
    expect(verdict).toEqual({
      outcome: 'delivered',
      status: 201,
      response: '…01 was sent: SM1\n…02 was sent: SM1\n…03 was sent: SM1\n…04 was sent: SM1',
    });
  });

  test('only those that failed temporarily are retried', async () => {
    const given = provider({ [two]: down, [three]: optedOut, [four]: new TypeError(`no route to ${four}`) });
    const channel = channelOf(given);
    const first = await channel.send(message({ phone_numbers: numbers }), signal);
    expect(first).toMatchObject({
      outcome: 'failed',
      kind: 'http_status',
      status: 503,
      message:
        '…01 was sent: SM1; …02 failed: is down; …03 was refused: has opted out; …04 failed: TypeError: no route to +…04',
    });

    given.tried.length = 0;
    given.answers[four] = sent;
    const second = await channel.send(
      message({ phone_numbers: numbers }, { attempt: 2, ...checkpointOf(first) }),
      signal,
    );
    expect(given.tried).toEqual([two, four]);
    expect(second.outcome).toBe('failed');

    given.tried.length = 0;
    given.answers[two] = sent;
    const third = await channel.send(
      message({ phone_numbers: numbers }, { attempt: 3, ...checkpointOf(second) }),
      signal,
    );
    expect(given.tried).toEqual([two]);
    expect(third).toEqual({
      outcome: 'delivered',
      status: 201,
      response:
        '…01 was sent before\n…02 was sent: SM1\n…03 was refused before: has opted out\n…04 was sent before',
    });
  });

  test('the delivery is rejected if all are refused, and delivered with the refused ones listed if some are', async () => {
    const given = provider({ [one]: optedOut, [two]: optedOut });
    const channel = channelOf(given);
    expect(await channel.send(message({ phone_numbers: [one, two] }), signal)).toEqual({
      outcome: 'rejected',
      kind: 'http_status',
      message: '…01 was refused: has opted out; …02 was refused: has opted out',
      status: 400,
      response: '…01 was refused: has opted out\n…02 was refused: has opted out',
    });
    expect(await channel.send(message({ phone_numbers: [one, three] }), signal)).toMatchObject({
      outcome: 'delivered',
      response: '…01 was refused: has opted out\n…03 was sent: SM1',
    });
  });

  test('the delivery is rejected if the last number is refused in a later attempt', async () => {
    const given = provider({ [one]: optedOut, [two]: down });
    const channel = channelOf(given);
    const first = await channel.send(message({ phone_numbers: [one, two] }), signal);
    given.answers[two] = optedOut;
    expect(
      await channel.send(message({ phone_numbers: [one, two] }, checkpointOf(first)), signal),
    ).toMatchObject({
      outcome: 'rejected',
      message: '…01 was refused before: has opted out; …02 was refused: has opted out',
    });
  });

  test('a service that asks to wait gets no more texts, and the others wait', async () => {
    const many = Array.from({ length: 50 }, (_, i) => `+49151${10_000_000 + i}`);
    const given = provider({ [many[2]!]: { ...down, retryAfterMs: 9_000 } });
    const verdict = await channelOf(given).send(message({ phone_numbers: many }), signal);
    expect(given.tried.length).toBeLessThan(12);
    expect(verdict).toMatchObject({ outcome: 'failed', retryAfterMs: 9_000 });
    given.answers[many[2]!] = sent;
    const triedFirst = given.tried.splice(0);
    const next = await channelOf(given).send(message({ phone_numbers: many }, checkpointOf(verdict)), signal);
    expect(next.outcome).toBe('delivered');
    expect([...triedFirst, ...given.tried].filter((to) => to !== many[2]).toSorted()).toEqual(
      many.filter((to) => to !== many[2]).toSorted(),
    );
  });

  test('a busy service is not a failure, numbers with the text are kept, and the others wait', async () => {
    const tooMuch: SmsResult = {
      outcome: 'rate_limited',
      retryAfterMs: 2_000,
      message: 'too much',
      status: 429,
    };
    const many = Array.from({ length: 50 }, (_, i) => `+49151${10_000_000 + i}`);
    const given = provider({ [many[2]!]: tooMuch, [many[1]!]: optedOut });
    const verdict = await channelOf(given).send(message({ phone_numbers: many }), signal);
    expect(given.tried.length).toBeLessThan(12);
    expect(verdict).toMatchObject({ outcome: 'rate_limited', retryAfterMs: 2_000, status: 429 });
    expect(verdict).toMatchObject({
      message: expect.stringMatching(
        /00 was sent: SM1; …01 was refused: has opted out; …02 has to wait: too much/,
      ),
    });
    given.answers[many[2]!] = sent;
    const triedFirst = given.tried.splice(0);
    const next = await channelOf(given).send(message({ phone_numbers: many }, checkpointOf(verdict)), signal);
    expect(next.outcome).toBe('delivered');
    expect([...triedFirst, ...given.tried].filter((to) => to !== many[2]).toSorted()).toEqual(
      many.filter((to) => to !== many[2]).toSorted(),
    );
  });

  test('the delivery has failed if one number failed for another reason', async () => {
    const tooMuch: SmsResult = { outcome: 'rate_limited', retryAfterMs: 2_000, message: 'too much' };
    const given = provider({ [one]: down, [two]: tooMuch });
    const verdict = await channelOf(given).send(message({ phone_numbers: numbers }), signal);
    expect(verdict).toMatchObject({ outcome: 'failed', kind: 'http_status', retryAfterMs: 2_000 });
  });

  test('an added number is tried, and a removed one is ignored', async () => {
    const given = provider({ [two]: down });
    const channel = channelOf(given);
    const first = await channel.send(message({ phone_numbers: [one, two] }), signal);
    given.tried.length = 0;
    const second = await channel.send(message({ phone_numbers: [one, three] }, checkpointOf(first)), signal);
    expect(given.tried).toEqual([three]);
    expect(second.outcome).toBe('delivered');
  });

  test.each(['', 'null', '[]', '{"a":1}', 'canary', '{"__proto__":null}'])(
    'an invalid checkpoint keeps no number from being tried: %j',
    async (checkpoint) => {
      const given = provider();
      await channelOf(given).send(message({ phone_numbers: [one] }, { checkpoint }), signal);
      expect(given.tried).toEqual([one]);
    },
  );

  test('a checkpoint of 50 refusals is short enough to be stored, and contains no number', async () => {
    const many = Array.from({ length: 50 }, (_, i) => `+49151${10_000_000 + i}`);
    const answers = Object.fromEntries(
      many.map((to) => [to, { ...optedOut, message: `${to} ${'"\\\0\n'.repeat(2_000)}` }]),
    );
    const given = provider({ ...answers, [many[0]!]: down });
    const verdict = await channelOf(given).send(message({ phone_numbers: many }), signal);
    const { checkpoint } = checkpointOf(verdict);
    expect(checkpoint!.length).toBeLessThanOrEqual(16 * 1024);
    expect(verdict.response!.length).toBeLessThanOrEqual(16 * 1024);
    for (const to of many) expect(JSON.stringify(verdict)).not.toContain(to.slice(1));
    // None of them is texted again.
    given.tried.length = 0;
    await channelOf(given).send(message({ phone_numbers: many }, checkpointOf(verdict)), signal);
    expect(given.tried).toEqual([many[0]]);
  });

  test('a repeated number is texted once', async () => {
    const given = provider();
    const configs = { phone_numbers: [one, two, one] };
    expect(await smsConfigs['~standard'].validate(configs)).toEqual({ value: configs });
    expect(await channelOf(given).send(message(configs), signal)).toMatchObject({ outcome: 'delivered' });
    expect(given.tried).toEqual([one, two]);
  });
});

describe('time', () => {
  test('an attempt ends at its timeout and keeps the numbers that have the text', async () => {
    const tried: string[] = [];
    const hanging: SmsProvider = {
      // Ignores its signal, as a provider may.
      send({ to }) {
        tried.push(to);
        return to === two ? new Promise<never>(() => {}) : Promise.resolve(sent);
      },
    };
    const channel = channelOf(hanging, { timeoutMs: 100 });
    expect(channel.deadlineMs?.({ phone_numbers: [one] })).toBe(350);
    const verdict = await channel.send(message({ phone_numbers: [one, two, three] }), signal);
    expect(verdict).toMatchObject({
      outcome: 'failed',
      kind: 'timeout',
      message: '…01 was sent: SM1; …02 failed: no answer within 100 ms; …03 was sent: SM1',
    });
    tried.length = 0;
    await channel.send(message({ phone_numbers: [one, two, three] }, checkpointOf(verdict)), signal);
    expect(tried).toEqual([two]);
  });

  test.each(['respects', 'ignores'])(
    'an aborted attempt ends at once and starts no other text with a provider that %s its signal',
    async (how) => {
      const tried: string[] = [];
      const hanging: SmsProvider = {
        send: ({ to }, ending) => {
          tried.push(to);
          return new Promise((_, reject) => {
            if (how === 'respects') ending.addEventListener('abort', reject);
            if (how === 'respects' && ending.aborted) reject(ending.reason);
          });
        },
      };
      const many = Array.from({ length: 20 }, (_, i) => `+49151${10_000_000 + i}`);
      const controller = new AbortController();
      const verdict = channelOf(hanging).send(message({ phone_numbers: many }), controller.signal);
      await until(() => tried.length === 5);
      controller.abort();
      expect(await verdict).toMatchObject({ outcome: 'failed', kind: 'timeout' });
      await new Promise(setImmediate);
      expect(tried).toHaveLength(5);
    },
  );
});

describe('a provider', () => {
  test.each([
    undefined,
    null,
    'sent',
    {},
    { outcome: 'gone', kind: 'http_status', message: 'x' },
    { outcome: 'failed' },
    { outcome: 'rejected', message: 5 },
  ])('that returns an invalid result has failed for that number only: %j', async (answer) => {
    const given = provider({ [one]: answer });
    const verdict = await channelOf(given).send(message({ phone_numbers: [one, two] }), signal);
    expect(verdict).toMatchObject({ outcome: 'failed', kind: 'channel_error' });
    expect(verdict.response).toMatch(
      /^…01 failed: the provider returned .*, which is not a valid result\n…02 was sent/,
    );
  });

  test('whose result is partly invalid keeps its outcome and the valid fields', async () => {
    const answer = { ...down, kind: 'no such kind', status: 5_000, retryAfterMs: Number.NaN, response: 7 };
    const verdict = await channelOf(provider({ [one]: answer })).send(
      message({ phone_numbers: [one] }),
      signal,
    );
    expect(verdict).toEqual({
      outcome: 'failed',
      kind: 'channel_error',
      message: '…01 failed: is down',
      response: '…01 failed: is down',
    });
  });

  test.each([
    ['unchanged', `sorry, ${one} is unknown`],
    ['without its plus', `{"to":"${one.slice(1)}"}`],
    ['in groups', 'sorry, +49 151 1234-5601 is unknown'],
    ['without its country code', 'sorry, 0151 12345601 is unknown'.replace('0151', '151')],
    ['in a URL', `https://sms.example/?to=%2B${one.slice(1)}&x=1`],
  ])('that quotes the number is recorded with the number shortened: %s', async (_, quoted) => {
    const given = provider({ [one]: { ...optedOut, message: quoted, response: quoted } });
    const verdict = JSON.stringify(await channelOf(given).send(message({ phone_numbers: [one] }), signal));
    expect(verdict.replace(/\D/g, '')).not.toContain('12345601');
    expect(verdict).toContain('…01');
  });
});

describe('the text', () => {
  test('that cannot be rendered fails the attempt as config, and no number is tried', async () => {
    const given = provider();
    const channel = channelOf(given);
    for (const message_template of ['{{ event_type', '{% if false %}x{% endif %}']) {
      const verdict = await channel.send(message({ phone_numbers: [one], message_template }), signal);
      expect(verdict).toMatchObject({ outcome: 'failed', kind: 'config' });
    }
    expect(given.tried).toEqual([]);
  });

  test('that can no longer be rendered keeps the numbers that have it', async () => {
    const given = provider({ [two]: down });
    const channel = channelOf(given);
    const first = await channel.send(message({ phone_numbers: [one, two] }), signal);
    const broken = { phone_numbers: [one, two], message_template: '{{' };
    const second = await channel.send(message(broken, checkpointOf(first)), signal);
    given.tried.length = 0;
    await channel.send(message({ phone_numbers: [one, two] }, checkpointOf(second)), signal);
    expect(given.tried).toEqual([two]);
  });

  test('is shown by a preview, with its segments', async () => {
    const service = await standIn();
    const { url, accountSid, authToken, from } = service;
    const channel = channelOf(twilio({ accountSid, authToken, from, baseUrl: url, outbound: loopback() }), {
      maxSegments: 2,
    });
    for (const message_template of [undefined, null, `{{ event_type }} ${'я'.repeat(200)}`]) {
      const sample = message({ phone_numbers: [one], message_template });
      const [text, segments, ...more] = await channel.preview!(sample);
      await channel.send(sample, signal);
      expect(text).toEqual({ name: 'text', type: 'text/plain', text: service.messages.at(-1)!.body });
      expect(segments).toEqual({
        name: 'segments',
        type: 'text/plain',
        text: message_template ? '2 of UCS-2' : '1 of GSM-7',
      });
      expect(more).toEqual([]);
    }
    const broken = message({ phone_numbers: [one], message_template: '{{' });
    await expect(channel.preview!(broken)).rejects.toMatchObject({ code: 'invalid_template' });
  });

  test('of a digest covers all its events', async () => {
    const channel = channelOf(provider());
    expect(channel.supportsDigests).toBe(true);
    const types = ['order.created', 'order.paid', 'order.created', 'order.created'];
    const digest = types.map((type) => ({ event: { ...event, type }, payload: {} }));
    const [text] = await channel.preview!(message({ phone_numbers: [one] }, { digest }));
    expect(text!.text).toBe('4 events: order.created x3, order.paid\nOrders, since 2026-11-23 10:00 UTC');
  });
});

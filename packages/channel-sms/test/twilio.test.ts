import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '@posthorn/testing';
import type { TwilioTrouble } from '@posthorn/testing/twilio-stand-in';
import { describe, expect, onTestFinished, test } from 'vitest';
import { smsChannel, type TwilioOptions, twilio } from '../src/index.js';
import { loopback, message, standIn } from './message.js';

const number = '+4915112345678';
const toOne = { phone_numbers: [number] };
const signal = new AbortController().signal;

/** Starts the stand-in, with a provider of its account whose options are replaced by `of`. */
async function through(of: Partial<TwilioOptions> = {}) {
  const service = await standIn();
  const { url, accountSid, authToken, from } = service;
  const outbound = loopback();
  const provider = twilio({ accountSid, authToken, from, baseUrl: url, outbound, ...of });
  const channel = smsChannel({ provider });
  const send = (text = 'hello', to = number) =>
    provider.send({ to, text, deliveryId: 'dlv_1', eventId: 'evt_1' }, signal);
  return { service, provider, channel, outbound, send };
}

describe('a text', () => {
  test('is accepted by Twilio, and its id is reported', async () => {
    const { service, send } = await through();
    const result = await send('50 € {net}\n& more + ü');
    expect(service.messages).toMatchObject([
      {
        to: number,
        from: '+15005550006',
        messaging_service_sid: null,
        body: '50 € {net}\n& more + ü',
        status_callback: null,
      },
    ]);
    expect(result).toEqual({ outcome: 'delivered', status: 201, response: service.messages[0]!.sid });
  });

  test('is sent through a messaging service, with a status callback', async () => {
    const { service, outbound } = await through();
    const { url, accountSid, authToken, messagingServiceSid } = service;
    const provider = twilio({
      ...{ accountSid, authToken, messagingServiceSid, outbound },
      baseUrl: `${url}/`,
      statusCallback: 'https://shop.example/texts?a=1&b=2',
    });
    const sms = { to: number, text: 'hello', deliveryId: 'dlv_1', eventId: 'evt_1' };
    expect(await provider.send(sms, signal)).toMatchObject({ outcome: 'delivered' });
    expect(service.messages).toMatchObject([
      {
        from: null,
        messaging_service_sid: messagingServiceSid,
        status_callback: 'https://shop.example/texts?a=1&b=2',
      },
    ]);
  });

  test('may be sent with an API key', async () => {
    const { service, outbound } = await through();
    const { url, accountSid, apiKey, apiKeySecret, from } = service;
    const provider = twilio({ accountSid, apiKey, apiKeySecret, from, baseUrl: url, outbound });
    const sms = { to: number, text: 'hello', deliveryId: 'dlv_1', eventId: 'evt_1' };
    expect(await provider.send(sms, signal)).toMatchObject({ outcome: 'delivered' });
  });

  test('is sent to api.twilio.com only, unless baseUrl is set', async () => {
    const asked: string[] = [];
    const { accountSid, authToken, from } = await standIn();
    const provider = twilio({
      ...{ accountSid, authToken, from },
      outbound: {
        policy: {
          lookup: (host, _, done) => {
            asked.push(host);
            done(Object.assign(new Error('no network here'), { code: 'ENOTFOUND' }), '', 4);
          },
        },
      },
    });
    const sms = { to: number, text: 'hello', deliveryId: 'dlv_1', eventId: 'evt_1' };
    expect(await provider.send(sms, signal)).toMatchObject({ outcome: 'failed', kind: 'dns' });
    expect(asked).toEqual(['api.twilio.com']);
  });

  test('is not sent to an address that the guard refuses', async () => {
    const { service } = await through();
    const { url, accountSid, authToken, from } = service;
    const provider = twilio({ accountSid, authToken, from, baseUrl: url.replace('http:', 'https:') });
    const sms = { to: number, text: 'hello', deliveryId: 'dlv_1', eventId: 'evt_1' };
    expect(await provider.send(sms, signal)).toMatchObject({ outcome: 'failed', kind: 'address_forbidden' });
    const plain = twilio({ accountSid, authToken, from, baseUrl: url });
    expect(await plain.send(sms, signal)).toMatchObject({ outcome: 'failed', kind: 'channel_error' });
    expect(service.requests).toEqual([]);
  });
});

describe('an answer of Twilio', () => {
  test.each<[string, number, string]>([
    ['+15005550001', 21211, 'config'],
    ['+15005550002', 21612, 'http_status'],
    ['+15005550004', 21610, 'http_status'],
    ['+15005550009', 21614, 'config'],
  ])('to the magic number %s is rejected: %i', async (to, code, kind) => {
    const { send } = await through();
    expect(await send('hello', to)).toEqual({
      outcome: 'rejected',
      kind,
      message: expect.stringMatching(`^Twilio ${code}: `),
      status: 400,
    });
  });

  test.each([21265, 21266, 21268, 21635, 21617, 30004, 30005, 30006, 30007])(
    '%i is rejected',
    async (code) => {
      const { service, send } = await through();
      service.failNumber(number, code);
      expect(await send()).toMatchObject({ outcome: 'rejected' });
    },
  );

  test.each([
    ...[20404, 21212, 21267, 21408, 21601, 21603, 21606, 21608, 21659, 21660, 21661],
    ...[21701, 21703, 21704, 21705, 30002, 30034],
  ])('%i has failed and is for the application to fix', async (code) => {
    const { service, send } = await through();
    service.failNumber(number, code);
    expect(await send()).toEqual({
      outcome: 'failed',
      kind: 'channel_error',
      message: expect.stringMatching(`^Twilio ${code}: `),
      status: expect.any(Number),
    });
  });

  test.each([20003, 20005, 20008])('%i has failed as refused credentials', async (code) => {
    const { service, send } = await through();
    service.failNumber(number, code);
    expect(await send()).toMatchObject({ outcome: 'failed', kind: 'credentials' });
  });

  test.each<[TwilioTrouble & object, number | undefined]>([
    [{ code: 21730 }, 1_000],
    [{ code: 20500 }, undefined],
    [{ code: 20503, retryAfterSeconds: 30 }, 30_000],
    [{ code: 30003 }, undefined],
    [{ code: 99999 }, undefined],
  ])('%j has failed and is retried after at least %s ms', async (trouble, retryAfterMs) => {
    const { service, send } = await through();
    service.trouble(trouble);
    const result = await send();
    expect(result).toMatchObject({ outcome: 'failed', kind: 'http_status' });
    expect('retryAfterMs' in result ? result.retryAfterMs : undefined).toBe(retryAfterMs);
  });

  test.each([
    [{ code: 20429, retryAfterSeconds: 7 }, 7_000],
    [{ code: 20429 }, 1_000],
    [{ code: 21611 }, 1_000],
    [{ code: 30001 }, 1_000],
  ])('%j is busy for %s ms', async (trouble, retryAfterMs) => {
    const { service, send } = await through();
    service.trouble(trouble);
    expect(await send()).toMatchObject({ outcome: 'rate_limited', retryAfterMs });
  });

  test('about too many concurrent requests asks to wait', async () => {
    const service = await standIn({ concurrency: 1 });
    const { url, accountSid, authToken, from } = service;
    const provider = twilio({ accountSid, authToken, from, baseUrl: url, outbound: loopback() });
    const sms = { to: number, text: 'hello', deliveryId: 'dlv_1', eventId: 'evt_1' };
    service.trouble('never');
    const controller = new AbortController();
    const first = provider.send(sms, controller.signal);
    await until(() => service.requests.length === 1);
    service.trouble();
    expect(await provider.send(sms, signal)).toMatchObject({
      outcome: 'rate_limited',
      status: 429,
      retryAfterMs: 1_000,
    });
    controller.abort();
    expect(await first).toMatchObject({ outcome: 'failed', kind: 'timeout' });
  });

  test.each<[TwilioTrouble & string, string]>([
    ['hangup', 'reset'],
    ['echo', 'http_status'],
  ])('that is not from Twilio has failed: %s', async (trouble, kind) => {
    const { service, send } = await through();
    service.trouble(trouble);
    expect(await send()).toMatchObject({ outcome: 'failed', kind });
  });

  test('of 1 MiB without an id counts as delivered', async () => {
    const { service, send } = await through();
    service.trouble('flood');
    expect(await send()).toEqual({ outcome: 'delivered', status: 201 });
  });

  test('about a text that fails at once is decided by the code of the text', async () => {
    const server = createServer((_, response) => {
      const body = { sid: `SM${'a'.repeat(32)}`, status: 'failed', error_code: 30007, to: number };
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { send } = await through({
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    expect(await send()).toMatchObject({ outcome: 'rejected', message: expect.stringContaining('30007') });
  });

  test('about wrong credentials is reported as credentials, without quoting them', async () => {
    const service = await standIn();
    const { url, accountSid, from } = service;
    const provider = twilio({
      accountSid,
      authToken: 'canary-token',
      from,
      baseUrl: url,
      outbound: loopback(),
    });
    const result = await smsChannel({ provider }).send(message(toOne), signal);
    expect(result).toMatchObject({ outcome: 'failed', kind: 'credentials', status: 401 });
    expect(service.messages).toEqual([]);
    expect(JSON.stringify(result)).not.toContain('canary-token');
  });

  test.each([{ code: 21211 }, { code: 99999 }, 'echo'] as const)(
    'of %j is reported without the number and the credentials',
    async (trouble) => {
      const { service, channel } = await through();
      if (typeof trouble === 'object') service.failNumber(number, trouble.code);
      else service.trouble(trouble);
      const verdict = JSON.stringify(await channel.send(message(toOne), signal));
      expect(verdict).toContain('…78');
      expect(verdict).not.toMatch(/15112345678/);
      expect(verdict).not.toContain(service.authToken);
      expect(verdict).not.toMatch(/Basic/);
    },
  );
});

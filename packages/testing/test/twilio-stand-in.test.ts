import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type TwilioStandIn,
  type TwilioStandInOptions,
  twilioStandIn,
} from '../src/twilio-stand-in/index.js';

async function standIn(options: TwilioStandInOptions = {}): Promise<TwilioStandIn> {
  const service = await twilioStandIn(options);
  onTestFinished(() => service.close());
  return service;
}

const to = '+4915112345678';

/** Posts as a client of the API does. `of` overrides the valid values. */
async function post(
  { url, accountSid, authToken, from }: TwilioStandIn,
  parameters: Record<string, string> = {},
  of: { account?: string; user?: string; password?: string; type?: string; method?: string } = {},
) {
  const { account = accountSid, user = accountSid, password = authToken, method = 'POST' } = of;
  const answer = await fetch(`${url}/2010-04-01/Accounts/${account}/Messages.json`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
      'content-type': of.type ?? 'application/x-www-form-urlencoded',
    },
    ...(method === 'POST' && {
      body: new URLSearchParams({ To: to, From: from, Body: 'hi', ...parameters }),
    }),
  });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, unknown>,
  };
}

describe("Twilio's stand-in", () => {
  test('accepts a text, answers with its resource, and records it', async () => {
    const service = await standIn();
    const { status, body } = await post(service, {
      Body: 'ünïcode & more',
      StatusCallback: 'https://a.example/',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      sid: expect.stringMatching(/^SM[0-9a-f]{32}$/),
      account_sid: service.accountSid,
      status: 'queued',
      error_code: null,
      to,
    });
    expect(service.messages).toEqual([
      {
        sid: body.sid,
        to,
        from: service.from,
        messaging_service_sid: null,
        body: 'ünïcode & more',
        status_callback: 'https://a.example/',
      },
    ]);
  });

  test('accepts an API key and a messaging service', async () => {
    const service = await standIn();
    const { apiKey: user, apiKeySecret: password, messagingServiceSid } = service;
    const parameters = { From: '', MessagingServiceSid: messagingServiceSid };
    const { status, body } = await post(service, parameters, { user, password });
    expect([status, body.status]).toEqual([201, 'accepted']);
  });

  test.each<[string, Parameters<typeof post>[2] & object, number, number]>([
    ['a wrong token', { password: 'wrong' }, 401, 20003],
    ['another user', { user: `AC${'6'.repeat(32)}` }, 401, 20003],
    ['another account', { account: `AC${'6'.repeat(32)}` }, 404, 20404],
    ['another method', { method: 'GET' }, 405, 20004],
    ['a body that is not a form', { type: 'application/json' }, 400, 21604],
  ])('refuses %s, with the errors of the API', async (_, of, status, code) => {
    const service = await standIn();
    const answer = await post(service, {}, of);
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({
      code,
      message: expect.any(String),
      more_info: `https://www.twilio.com/docs/errors/${code}`,
      status,
    });
    expect(service.messages).toEqual([]);
  });

  test.each<[Record<string, string>, number]>([
    [{ To: '' }, 21604],
    [{ From: '' }, 21603],
    [{ Body: '' }, 21602],
    [{ Body: 'a'.repeat(1_601) }, 21617],
    [{ To: '015112345678' }, 21211],
    [{ From: '+14155550123' }, 21606],
    [{ From: '+15005550001' }, 21212],
    [{ From: '+15005550008' }, 21611],
    [{ To: '+15005550006' }, 21266],
    [{ To: '+15005550001' }, 21211],
    [{ To: '+15005550002' }, 21612],
    [{ To: '+15005550003' }, 21408],
    [{ To: '+15005550004' }, 21610],
    [{ To: '+15005550009' }, 21614],
    [{ MessagingServiceSid: 'MG1' }, 21705],
    [{ MessagingServiceSid: `MG${'6'.repeat(32)}` }, 21701],
  ])('refuses %j with %i', async (parameters, code) => {
    const service = await standIn();
    expect((await post(service, parameters)).body).toMatchObject({ code });
    expect(service.messages).toEqual([]);
    expect(service.requests).toHaveLength(1);
  });

  test('accepts a text of 1,600 characters of any kind', async () => {
    const service = await standIn();
    expect((await post(service, { Body: '📯'.repeat(1_600) })).status).toBe(201);
  });

  test('fails a number for as long as it is told to', async () => {
    const service = await standIn();
    service.failNumber(to, 21610);
    expect((await post(service)).body).toMatchObject({ code: 21610 });
    expect((await post(service, { To: '+14155550123' })).status).toBe(201);
    service.failNumber(to);
    expect((await post(service)).status).toBe(201);
  });

  test('has the trouble that it is told to have, until it is told otherwise', async () => {
    const service = await standIn();
    service.trouble({ code: 20429, retryAfterSeconds: 3 });
    const { status, headers, body } = await post(service);
    expect([status, headers.get('retry-after'), body.code]).toEqual([429, '3', 20429]);
    service.trouble('hangup');
    await expect(post(service)).rejects.toThrow();
    service.trouble();
    expect((await post(service)).status).toBe(201);
  });

  test('refuses an account that cannot send', async () => {
    await expect(twilioStandIn({ senders: [] })).rejects.toMatchObject({ code: 'invalid_option' });
  });
});

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type HttpSmsProviderOptions, httpSmsProvider } from '../src/index.js';
import { loopback } from './message.js';

const sms = { to: '+4915112345678', text: 'hello', deliveryId: 'dlv_1', eventId: 'evt_1' };
const signal = new AbortController().signal;

/** Starts a gateway that answers 202 by default, with a provider for it. */
async function through(
  answer: (response: ServerResponse, headers: IncomingHttpHeaders) => void = (response) =>
    response.writeHead(202).end(),
  options: Partial<HttpSmsProviderOptions> = {},
) {
  const received: { headers: IncomingHttpHeaders; body: unknown }[] = [];
  const server = createServer(async (request, response) => {
    received.push({ headers: request.headers, body: await json(request) });
    answer(response, request.headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/texts`;
  return { received, provider: httpSmsProvider({ url, outbound: loopback(), ...options }) };
}

const answering = (status: number, body = '', headers: Record<string, string> = {}) =>
  through((response) => response.writeHead(status, headers).end(body));

describe('an HTTP provider', () => {
  test('posts the text as JSON with the given headers', async () => {
    const { provider, received } = await through(undefined, { headers: { 'X-Api-Key': 'k' } });
    expect(await provider.send(sms, signal)).toEqual({ outcome: 'delivered', status: 202, response: '' });
    expect(received).toMatchObject([
      {
        headers: { 'x-api-key': 'k', 'content-type': 'application/json' },
        body: { to: sms.to, text: 'hello', event_id: 'evt_1', delivery_id: 'dlv_1' },
      },
    ]);
  });

  test.each([200, 201, 202, 204])('reports %i as delivered', async (status) => {
    const { provider } = await answering(status);
    expect(await provider.send(sms, signal)).toMatchObject({ outcome: 'delivered', status });
  });

  test('reports 422 as rejected', async () => {
    const { provider } = await answering(422, 'a landline');
    expect(await provider.send(sms, signal)).toEqual({
      outcome: 'rejected',
      kind: 'http_status',
      message: 'answered 422',
      status: 422,
      response: 'a landline',
    });
  });

  test.each([301, 400, 404, 410, 429, 500, 503])('reports %i as failed', async (status) => {
    const { provider } = await answering(status);
    expect(await provider.send(sms, signal)).toEqual({
      outcome: 'failed',
      kind: 'http_status',
      message: expect.stringMatching(`^answered ${status}`),
      status,
      response: '',
    });
  });

  test.each([401, 403])('reports %i as refused credentials', async (status) => {
    const { provider } = await answering(status);
    expect(await provider.send(sms, signal)).toMatchObject({
      outcome: 'failed',
      kind: 'credentials',
      status,
    });
  });

  test.each<[number, string, number | undefined]>([
    [429, '3', 3_000],
    [503, '120.6', 120_600],
    [429, 'Mon, 23 Nov 2020 10:00:00 GMT', 0],
    [500, '3', undefined],
    [429, 'soon', undefined],
    [429, '-3', undefined],
    [429, '9'.repeat(400), undefined],
  ])('reports %i with Retry-After: %s as a wait', async (status, header, ms) => {
    const { provider } = await answering(status, '', { 'retry-after': header });
    const result = await provider.send(sms, signal);
    expect('retryAfterMs' in result ? result.retryAfterMs : undefined).toBe(ms);
  });

  test('redacts headers from the recorded response', async () => {
    const headers = { authorization: 'Bearer canary-token', 'x-key': 'canary-secret' };
    const { provider } = await through((response, got) => response.end(JSON.stringify(got)), { headers });
    const result = await provider.send(sms, signal);
    expect(result.response).toContain('***');
    expect(result.response).not.toMatch(/canary/);
  });

  test('sends nothing to an address that the guard refuses', async () => {
    const { provider, received } = await through(undefined, { outbound: {} });
    expect(await provider.send(sms, signal)).toMatchObject({ outcome: 'failed', kind: 'channel_error' });
    expect(received).toEqual([]);
  });
});

import { emailChannel } from '@posthorn/channel-email';
import { httpChannel } from '@posthorn/channel-http';
import { slackChannel } from '@posthorn/channel-slack';
import { smsChannel } from '@posthorn/channel-sms';
import type { Scope } from '@posthorn/core';
import { createDispatcher, scopes } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel } from '@posthorn/testing';
import { type ApiOptions, createApi } from '../src/index.js';
import type { AnyDispatcher } from '../src/route.js';
import { documented } from './documented.js';

export const base = 'http://api.test/v1/organizations';

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it.
  readonly body: any;
}

export interface CallOptions {
  readonly body?: unknown;
  /** The raw body; `body` is then ignored. */
  readonly raw?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Null: none. */
  readonly key?: string | null;
}

/** An engine for tests, with every channel of the contract. */
export function engine(): AnyDispatcher {
  return createDispatcher({
    storage: memoryStorage(),
    channels: [
      httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['localhost', '127.0.0.1'] } } }),
      slackChannel(),
      emailChannel({ transport: 'smtp://127.0.0.1:1', from: 'events@example.com' }),
      smsChannel({ provider: { send: async () => ({ outcome: 'delivered' }) } as never }),
      recordingChannel('record'),
    ],
  });
}

/** Creates an API key of a tenant, by default with all scopes. */
export async function keyOf(dispatcher: AnyDispatcher, tenantId: string, given: readonly Scope[] = scopes) {
  return (await dispatcher.apiKeys.create({ tenantId, name: 'test', scopes: [...given] })).key;
}

/** An API as a client sees it. Every answer is validated against the OpenAPI document. */
export async function apiOf(dispatcher: AnyDispatcher = engine(), options: ApiOptions = {}) {
  const handler = createApi(dispatcher, { rateLimit: false, testRateLimit: false, ...options });
  const check = await documented(dispatcher);
  const key = options.auth ? null : await keyOf(dispatcher, 'acme');
  return {
    dispatcher,
    handler,
    key: key!,
    async call(method: string, path: string, given: CallOptions = {}): Promise<Answered> {
      const credentials = given.key === undefined ? key : given.key;
      const payload = given.raw ?? (given.body === undefined ? undefined : JSON.stringify(given.body));
      const request = new Request(base + path, {
        method,
        headers: {
          ...(credentials !== null && { authorization: `Bearer ${credentials}` }),
          ...(payload !== undefined && { 'content-type': 'application/json' }),
          ...given.headers,
        },
        ...(payload !== undefined && { body: payload as string }),
      });
      const response = await handler(request);
      const text = await response.text();
      const body = text === '' ? undefined : JSON.parse(text);
      check(method, path, response, body);
      return { status: response.status, headers: response.headers, text, body };
    },
  };
}

export const hook = (url = 'https://example.com/hooks') => ({ channel: 'webhook', configs: { url } });
/** A webhook whose channel does not use the network. */
export const recorded = (name = 'Orders', eventTypes: readonly string[] = ['order.*']) => ({
  webhook_name: name,
  event_types: [...eventTypes],
  channels: [{ channel: 'record', configs: {} }],
});

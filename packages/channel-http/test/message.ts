import type { WebhookEvent } from '@posthorn/core';
import { type Message, Secret, type Verdict } from '@posthorn/core/channel';
import { createOutbound } from '@posthorn/outbound';
import { onTestFinished } from 'vitest';
import { type HttpChannelOptions, type HttpConfigs, httpChannel } from '../src/index.js';

export const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

export const event: WebhookEvent = {
  id: 'evt_0TvKq1aBcDeFgHiJkLmNoP',
  tenantId: 'default',
  type: 'order.created',
  payload: '{"b":1,"a":1.10}',
  occurredAt: new Date('2026-11-23T10:00:00.123Z'),
  namespaceId: null,
  subject: null,
  cacheScope: null,
  orderingKey: null,
};

/** Creates a message like the engine's, with the fields of `of` replaced. */
export function message(
  configs: HttpConfigs,
  {
    secrets = [secret],
    ...of
  }: Partial<Omit<Message<HttpConfigs>, 'secrets'>> & { readonly secrets?: readonly string[] } = {},
): Message<HttpConfigs> {
  const sent = of.event ?? event;
  return {
    deliveryId: 'dlv_0TvKq1aBcDeFgHiJkLmNoPabcdefghij',
    attempt: 1,
    attemptsBeforeRetry: 0,
    startedAt: new Date(),
    event: sent,
    payload: JSON.parse(sent.payload),
    webhook: { id: 'wh_abcdefghij', tenantId: 'default', name: 'orders' },
    configs,
    secrets: secrets.map((key) => new Secret(key)),
    ...of,
  };
}

export type Send = (message: Message<HttpConfigs>, signal?: AbortSignal) => Promise<Verdict>;

/** Returns the `send` of a channel that allows plain HTTP. Its connections are closed when the test ends. */
export function sender(options: HttpChannelOptions = {}): Send {
  const outbound = createOutbound({ policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } });
  onTestFinished(() => outbound.close());
  const channel = httpChannel({ outbound, ...options });
  return (sent, signal = new AbortController().signal) => channel.send(sent, signal);
}

import type { WebhookEvent } from '@posthorn/core';
import type { Message } from '@posthorn/core/channel';
import { createOutbound, type Outbound } from '@posthorn/outbound';
import {
  type TwilioStandIn,
  type TwilioStandInOptions,
  twilioStandIn,
} from '@posthorn/testing/twilio-stand-in';
import { onTestFinished } from 'vitest';
import type { SmsConfigs } from '../src/index.js';

export const event: WebhookEvent = {
  id: 'evt_0TvKq1aBcDeFgHiJkLmNoP',
  tenantId: 'default',
  type: 'order.created',
  payload: '{"total":42}',
  occurredAt: new Date('2026-11-23T10:00:00.123Z'),
  namespaceId: null,
  subject: { type: 'order', id: 'o1' },
  cacheScope: null,
  orderingKey: null,
};

/** Creates a message like the engine's, with the fields of `of` replaced. */
export function message(configs: SmsConfigs, of: Partial<Message<SmsConfigs>> = {}): Message<SmsConfigs> {
  const sent = of.event ?? event;
  return {
    deliveryId: 'dlv_0TvKq1aBcDeFgHiJkLmNoPabcdefghij',
    attempt: 1,
    attemptsBeforeRetry: 0,
    startedAt: new Date(),
    event: sent,
    payload: JSON.parse(sent.payload),
    webhook: { id: 'wh_abcdefghij', tenantId: 'default', name: 'Orders' },
    configs,
    secrets: [],
    ...of,
  };
}

/** Creates a client that may use plain HTTP on loopback, until the test ends. */
export function loopback(): Outbound {
  const outbound = createOutbound({ policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } });
  onTestFinished(() => outbound.close());
  return outbound;
}

/** Starts a stand-in for Twilio, until the test ends. */
export async function standIn(options: TwilioStandInOptions = {}): Promise<TwilioStandIn> {
  const service = await twilioStandIn(options);
  onTestFinished(() => service.close());
  return service;
}

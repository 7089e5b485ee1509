import type { WebhookEvent } from '@posthorn/core';
import { type Message, Secret } from '@posthorn/core/channel';
import { contextOf, type TemplateContext } from '../src/index.js';

export const event: WebhookEvent = {
  id: 'evt_0TvKq1aBcDeFgHiJkLmNoP',
  tenantId: 'acme',
  type: 'order.created',
  payload: '{}',
  occurredAt: new Date('2026-11-23T10:00:00.123Z'),
  namespaceId: 'shop',
  subject: { type: 'order', id: 'o1' },
  cacheScope: null,
  orderingKey: null,
};

/** Creates a message of an event with `payload`, as the engine does. */
export const messageOf = (payload: unknown): Message => ({
  deliveryId: 'dlv_0TvKq1aBcDeFgHiJkLmNoPabcdefghij',
  attempt: 2,
  attemptsBeforeRetry: 0,
  startedAt: new Date(),
  event: { ...event, payload: JSON.stringify(payload) },
  payload,
  webhook: { id: 'wh_abcdefghij', tenantId: 'acme', name: 'Orders <to> warehouse' },
  configs: { url: 'https://example.com', headers: { authorization: 'canary-config' } },
  secrets: [new Secret('whsec_canary-secret')],
});

/** Creates the template context of an event with `payload`. */
export const speakingOf = (payload: unknown): TemplateContext => contextOf(messageOf(payload));

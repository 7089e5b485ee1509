import assert from 'node:assert/strict';
import type { Attempt, ChannelBinding, Delivery, StorageAdapter, WebhookEvent } from '@posthorn/core';
import {
  type Claim,
  type ClaimOptions,
  createIds,
  type DeliveryFilter,
  matchKeys,
  type NewEvent,
  type NewWebhook,
  type NextState,
  type Settlement,
  type WebhookRecord,
} from '@posthorn/core/storage';
import { same } from '../assertions.js';
import { pagesOf } from './pages.js';

/*
 * Samples to store, and short functions for the steps of a delivery. Durations are long, because a storage's clock may
 * run by itself during a rule.
 */

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;

/** The default tenant of the samples. */
export const acme = 'acme';
export const globex = 'globex';

/** Each id has a millisecond of its own, so that ids sort by creation. */
let time = Date.now() - 365 * 24 * hourMs;
const ids = createIds({ now: () => ++time });
export const { event: newEventId, webhook: newWebhookId } = ids;

export function newBinding(overrides: Partial<ChannelBinding> = {}): ChannelBinding {
  return {
    id: ids.binding(),
    channel: 'webhook',
    configs: { url: 'https://example.com/orders' },
    ...overrides,
  };
}

export function newWebhook(overrides: Partial<NewWebhook> = {}): NewWebhook {
  return {
    id: ids.webhook(),
    tenantId: acme,
    name: 'Orders',
    eventTypes: ['order.created'],
    channels: [newBinding()],
    isActive: true,
    secrets: [{ key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: null }],
    ...overrides,
  };
}

/** Returns an event with the keys that core derives from its type. */
export function newEvent(overrides: Partial<NewEvent> = {}): NewEvent {
  const { type = 'order.created' } = overrides;
  return {
    id: ids.event(),
    tenantId: acme,
    type,
    payload: '{"orderId":"o1"}',
    occurredAt: new Date('2026-11-23T12:34:56.789Z'),
    namespaceId: null,
    subject: null,
    cacheScope: null,
    orderingKey: null,
    matchingPatterns: matchKeys(type),
    ...overrides,
  };
}

export function newEvents(count: number, overrides: Partial<NewEvent> = {}): NewEvent[] {
  return Array.from({ length: count }, () => newEvent(overrides));
}

/** Returns an event as the log reads it back: without the fields that only `publish` needs. */
export function asRead({
  matchingPatterns: _keys,
  idempotencyKey: _key,
  fingerprint: _print,
  ...event
}: NewEvent): WebhookEvent {
  return event;
}

export async function publish(
  storage: StorageAdapter<unknown>,
  ...events: readonly NewEvent[]
): Promise<void> {
  await storage.deliveries.publish(events);
}

/** Creates a webhook and publishes an event with one delivery to it. */
export async function oneDelivery(
  storage: StorageAdapter<unknown>,
): Promise<{ webhook: WebhookRecord; event: NewEvent; deliveryId: string }> {
  const webhook = await storage.webhooks.create(newWebhook());
  const event = newEvent();
  await publish(storage, event);
  const delivery = one(await deliveriesOf(storage, acme, { eventId: event.id }));
  return { webhook, event, deliveryId: delivery.id };
}

export function claimOptions(overrides: Partial<ClaimOptions> = {}): ClaimOptions {
  return { limit: 100, leaseMs: hourMs, webhookLimit: 100, webhookRoom: new Map(), ...overrides };
}

/** Claims deliveries without beginning their attempts, as a worker that buffers them. */
export function take(
  storage: StorageAdapter<unknown>,
  overrides: Partial<ClaimOptions> = {},
): Promise<readonly Claim[]> {
  return storage.deliveries.claim(claimOptions(overrides));
}

/** Claims deliveries and begins their attempts, as a worker that sends at once. */
export async function claim(
  storage: StorageAdapter<unknown>,
  overrides: Partial<ClaimOptions> = {},
): Promise<readonly Claim[]> {
  const claims = await take(storage, overrides);
  if (claims.length > 0) await storage.deliveries.begin(claims, 0);
  return claims;
}

/** Claims until a claim returns no deliveries. */
export async function claimAll(
  storage: StorageAdapter<unknown>,
  overrides: Partial<ClaimOptions> = {},
): Promise<Claim[]> {
  const all: Claim[] = [];
  for (let round = 0; round < 1_000; round++) {
    const claims = await claim(storage, overrides);
    if (claims.length === 0) return all;
    all.push(...claims);
  }
  return assert.fail(
    'claim returned deliveries 1,000 times in a row: expected an empty result at some point',
  );
}

export function attemptOf(
  claimed: Pick<Claim, 'deliveryId'> & Partial<Claim>,
  overrides: Partial<Attempt> = {},
): Attempt {
  return {
    id: ids.attempt(),
    deliveryId: claimed.deliveryId,
    number: claimed.attempt ?? 1,
    startedAt: new Date('2026-11-23T12:35:00.001Z'),
    durationMs: 12,
    outcome: 'delivered',
    kind: null,
    message: null,
    status: 200,
    response: 'ok',
    ...overrides,
  };
}

/** Returns a settlement with an attempt, as after a send. */
export function result(claimed: Claim, next: NextState | 'delivered' | 'dead' | 'cancelled'): Settlement {
  const attempt =
    next === 'delivered'
      ? attemptOf(claimed)
      : attemptOf(claimed, {
          outcome: 'failed',
          kind: 'http_status',
          message: 'answered 500',
          status: 500,
          response: 'out of order',
        });
  return { claim: claimed, next: typeof next === 'string' ? { status: next } : next, attempt };
}

/** Returns a settlement that releases a delivery that was not sent, or whose attempt must not count. */
export function release(claimed: Claim, delayMs?: number): Settlement {
  return { claim: claimed, next: { status: 'released', ...(delayMs !== undefined && { delayMs }) } };
}

/** Settles claims whose tokens must still be valid. */
export async function settleAll(
  storage: StorageAdapter<unknown>,
  settlements: readonly Settlement[],
): Promise<void> {
  same(
    await storage.deliveries.settle(settlements),
    settlements.map(() => true),
  );
}

/** Claims every due delivery, and settles it as delivered. */
export async function deliverAll(storage: StorageAdapter<unknown>): Promise<void> {
  const claims = await claimAll(storage);
  await settleAll(
    storage,
    claims.map((claimed) => result(claimed, 'delivered')),
  );
}

export async function deliveriesOf(
  storage: StorageAdapter<unknown>,
  tenantId = acme,
  filter: Omit<DeliveryFilter, 'limit' | 'cursor'> = {},
): Promise<Delivery[]> {
  const pages = await pagesOf((page) => storage.log.deliveries(tenantId, { ...filter, ...page }));
  return pages.flat();
}

export async function deliveryOf(
  storage: StorageAdapter<unknown>,
  id: string,
  tenantId = acme,
): Promise<Delivery> {
  return one(await deliveriesOf(storage, tenantId, { id }));
}

export async function eventsOf(storage: StorageAdapter<unknown>, tenantId = acme): Promise<WebhookEvent[]> {
  return (await pagesOf((page) => storage.log.events(tenantId, page))).flat();
}

/** Returns the only element of a list. */
export function one<T>(list: readonly T[]): T {
  assert.equal(list.length, 1, `expected one element, not ${list.length}`);
  return list[0]!;
}

/** Sorts a copy of a list whose order is unspecified. */
export const sorted = (list: readonly string[]): string[] => [...list].sort();

export const idsOf = (list: readonly { readonly id: string }[]): string[] => list.map(({ id }) => id);

/** Returns the ids of claimed events, in the order of the claims. */
export const eventIdsOf = (claims: readonly Claim[]): string[] => claims.map(({ event }) => event.id);

import type { ChannelBinding } from '@posthorn/core';
import { type Claim, createIds, matchKeys, type NewEvent, type NewWebhook } from '@posthorn/core/storage';
import type { MemoryStorage } from '../src/index.js';

const ids = createIds();

export const tenantId = 't';

export function newWebhook(overrides: Partial<NewWebhook> = {}): NewWebhook {
  const binding: ChannelBinding = { id: ids.binding(), channel: 'webhook', configs: {} };
  return {
    id: ids.webhook(),
    tenantId,
    name: 'w',
    eventTypes: ['*'],
    channels: [binding],
    isActive: true,
    secrets: [],
    ...overrides,
  };
}

export function newEvent(overrides: Partial<NewEvent> = {}): NewEvent {
  const { type = 'a', matchingPatterns = matchKeys(type) } = overrides;
  return {
    id: ids.event(),
    tenantId,
    type,
    payload: '1',
    occurredAt: new Date(),
    namespaceId: null,
    subject: null,
    cacheScope: null,
    orderingKey: null,
    ...overrides,
    matchingPatterns,
  };
}

/** Claims, and begins what was claimed. */
export async function claim({ deliveries }: MemoryStorage): Promise<readonly Claim[]> {
  const options = { limit: 100, leaseMs: 60_000, webhookLimit: 100, webhookRoom: new Map() };
  return (await deliveries.begin(await deliveries.claim(options), 0)).begun;
}

/** Creates a text with its own memory: the result of `repeat` shares its parts. */
export const textOf = (length: number): string => Buffer.alloc(length, 'x').toString('latin1');

export async function eventIdsOf({ log }: MemoryStorage): Promise<string[]> {
  return (await log.events(tenantId, { limit: 10_000 })).items.map(({ id }) => id);
}

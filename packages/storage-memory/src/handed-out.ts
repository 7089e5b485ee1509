import type { Claim, Event } from '@posthorn/core';
import type { DeliveryEntry, EventEntry } from './entries.js';
import { copiedSecrets } from './webhooks.js';

interface Times {
  /** When an attempt began that was lost, or that begins with this. */
  readonly lostAt: number | undefined;
  readonly begunAt: number | undefined;
  /** Since when it is put off. */
  readonly putOffSince: number | null;
}

/** A claim of the delivery, or of the digest that it leads. */
export function claimOf(delivery: DeliveryEntry, token: string, times: Times): Claim {
  const { lostAt, begunAt, putOffSince } = times;
  const { event, webhook, bindingId, memo, digest } = delivery;
  const { id, tenantId, name, secrets, channels } = webhook.record;
  const events = digest && [...digest.entries].map((each) => eventOf(each.event));
  return {
    deliveryId: delivery.id,
    token,
    attempt: delivery.attempts + 1,
    attemptsBefore: delivery.attemptsBefore,
    event: events?.[0] ?? eventOf(event),
    webhook: { id, tenantId, name, secrets: copiedSecrets(secrets), channels },
    binding: channels.find((binding) => binding.id === bindingId),
    putOffSince: putOffSince === null ? null : new Date(putOffSince),
    ...(memo !== undefined && { memo }),
    ...(events && { digest: events }),
    ...(begunAt !== undefined && { begunAt: new Date(begunAt) }),
    ...(lostAt !== undefined && { lostAt: new Date(lostAt) }),
  };
}

export function eventOf(entry: EventEntry): Event {
  const { id, tenantId, type, payload, occurredAt, namespaceId, subject, cacheScope, orderingKey } = entry;
  const at = new Date(occurredAt);
  return { id, tenantId, type, payload, occurredAt: at, namespaceId, subject, cacheScope, orderingKey };
}

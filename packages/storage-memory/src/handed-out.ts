import type { WebhookEvent } from '@posthorn/core';
import type { Claim } from '@posthorn/core/storage';
import type { DeliveryEntry, EventEntry } from './entries.js';
import type { OpenedLease } from './leases.js';
import { copiedSecrets } from './webhooks.js';

/** The lease of a claim. */
interface ClaimLease extends OpenedLease {
  /** The time when its attempt began, where it begins with this claim. */
  readonly begunAt: number | undefined;
  /** The time since when it is deferred. */
  readonly deferredSince: number | null;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Creates a claim of the delivery, or of the digest that it leads. Most claims have no optional field. */
export function claimOf(delivery: DeliveryEntry, lease: ClaimLease): Claim {
  const { token, deliveryId, lostAt, uncounted, begunAt, deferredSince } = lease;
  const { event, webhook, bindingId, checkpoint, digest } = delivery;
  const { id, tenantId, name, secrets, channels } = webhook.record;
  const events = digest && [...digest.entries].map((each) => eventOf(each.event));
  const claim: Writable<Claim> = {
    deliveryId,
    token,
    attempt: delivery.attempts + 1,
    attemptsBeforeRetry: delivery.attemptsBeforeRetry,
    event: events?.[0] ?? eventOf(event),
    webhook: { id, tenantId, name, secrets: copiedSecrets(secrets), channels },
    binding: channels.find((binding) => binding.id === bindingId),
    deferredSince: deferredSince === null ? null : new Date(deferredSince),
  };
  if (checkpoint !== undefined) claim.checkpoint = checkpoint;
  if (events) claim.digest = events;
  if (begunAt !== undefined) claim.begunAt = new Date(begunAt);
  if (uncounted !== undefined) claim.uncounted = uncounted;
  if (lostAt !== undefined) claim.lostAt = new Date(lostAt);
  return claim;
}

export function eventOf(entry: EventEntry): WebhookEvent {
  const { id, tenantId, type, payload, occurredAt, namespaceId, subject, cacheScope, orderingKey } = entry;
  const at = new Date(occurredAt);
  return { id, tenantId, type, payload, occurredAt: at, namespaceId, subject, cacheScope, orderingKey };
}

import { checkFingerprint, firstBindings, type NewEvent, type PublishResult } from '@posthorn/core/storage';
import { costOf } from './capacity.js';
import type { WebhookEntry } from './entries.js';
import { type Journal, keyOf } from './journal.js';
import type { WebhookTable } from './webhooks.js';

/** A new event, and the webhooks that it matches. */
export interface FreshEvent {
  readonly event: NewEvent;
  readonly matched: readonly WebhookEntry[];
}

/** What publishing some events will do. */
export interface Plan {
  readonly fresh: readonly FreshEvent[];
  /** The memory that they will take, and the part of it for idempotency keys. */
  readonly bytes: number;
  readonly keyBytes: number;
  /**
   * The results of events that are stored already. They are determined first, because making space for new events may
   * delete those.
   */
  readonly results: Map<NewEvent, PublishResult>;
  /** Maps a later event of the call to an earlier one that is the same. */
  readonly twins: ReadonlyMap<NewEvent, NewEvent>;
}

/** Determines what to do with each event. Throws `idempotency_conflict` before anything is written. */
export function planOf(
  events: readonly NewEvent[],
  journal: Pick<Journal, 'earlier'>,
  matching: WebhookTable['matching'],
): Plan {
  const fresh: FreshEvent[] = [];
  const results = new Map<NewEvent, PublishResult>();
  const twins = new Map<NewEvent, NewEvent>();
  const named = new Map<string, NewEvent>();
  let bytes = 0;
  let keyBytes = 0;
  for (const event of events) {
    const earlier = journal.earlier(event);
    if (earlier) {
      results.set(event, earlier);
      continue;
    }
    const { id, tenantId, idempotencyKey } = event;
    const key = idempotencyKey === undefined ? undefined : keyOf(tenantId, idempotencyKey);
    const twin = named.get(id) ?? (key === undefined ? undefined : named.get(key));
    if (twin) {
      checkFingerprint(event, twin.fingerprint);
      twins.set(event, twin);
      continue;
    }
    named.set(id, event);
    if (key !== undefined) {
      named.set(key, event);
      keyBytes += costOf.key(key);
    }
    const matched = matching(tenantId, event.matchingPatterns);
    const deliveries = matched.reduce((sum, webhook) => sum + firstBindings(webhook.record).length, 0);
    bytes += costOf.event(event) + deliveries * costOf.delivery;
    fresh.push({ event, matched });
  }
  return { fresh, bytes, keyBytes, results, twins };
}

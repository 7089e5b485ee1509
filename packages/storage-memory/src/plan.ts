import type { NewEvent, Published } from '@posthorn/core';
import { costOf } from './capacity.js';
import type { WebhookEntry } from './entries.js';
import { conflict, firstBindings, type Journal, keyOf } from './journal.js';
import type { WebhookTable } from './webhooks.js';

/** What publishing some events comes to. */
export interface Plan {
  /** The events that are new. */
  readonly fresh: readonly { readonly event: NewEvent; readonly matched: readonly WebhookEntry[] }[];
  /** What they will take, and the idempotency keys of them. */
  readonly bytes: number;
  readonly keyBytes: number;
  /** Of events that are stored already. Room for new ones may be made at the cost of those: so it is known before. */
  readonly results: Map<NewEvent, Published>;
  /** For a later event of the call that is the same as an earlier one: that. */
  readonly twins: ReadonlyMap<NewEvent, NewEvent>;
}

/** What to do with each event. Throws `idempotency_conflict`, before anything is written. */
export function planOf(
  events: readonly NewEvent[],
  journal: Journal,
  matching: WebhookTable['matching'],
): Plan {
  const fresh: { event: NewEvent; matched: readonly WebhookEntry[] }[] = [];
  const results = new Map<NewEvent, Published>();
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
      if (twin.fingerprint !== event.fingerprint) throw conflict(event);
      twins.set(event, twin);
      continue;
    }
    named.set(id, event);
    if (key !== undefined) {
      named.set(key, event);
      keyBytes += costOf.key(key);
    }
    const matched = matching(tenantId, event.keys);
    const deliveries = matched.reduce((sum, webhook) => sum + firstBindings(webhook).length, 0);
    bytes += costOf.event(event) + deliveries * costOf.delivery;
    fresh.push({ event, matched });
  }
  return { fresh, bytes, keyBytes, results, twins };
}

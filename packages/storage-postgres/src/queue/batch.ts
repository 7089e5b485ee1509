import { checkFingerprint, type NewEvent, type PublishResult } from '@posthorn/core/storage';

/** The events of one call, without repetitions: events with the same id or the same idempotency key are one. */
export interface Batch {
  /** The events to be stored. Each id and each key occurs once. */
  readonly events: readonly NewEvent[];
  readonly byKey: ReadonlyMap<string, NewEvent>;
  readonly byId: ReadonlyMap<string, NewEvent>;
}

/** Removes repetitions. Throws `idempotency_conflict` where two events have the same key and different content. */
export function batchOf(events: readonly NewEvent[]): Batch {
  const byId = new Map<string, NewEvent>();
  const byKey = new Map<string, NewEvent>();
  const unique = events.filter((event) => {
    const { id, tenantId, idempotencyKey } = event;
    const key = idempotencyKey === undefined ? undefined : keyOf(tenantId, idempotencyKey);
    const twin = byId.get(id) ?? (key === undefined ? undefined : byKey.get(key));
    if (twin) {
      checkFingerprint(event, twin.fingerprint);
      return false;
    }
    byId.set(id, event);
    if (key !== undefined) byKey.set(key, event);
    return true;
  });
  return { events: unique, byId, byKey };
}

/** Returns the result of an event of the call, or of the earlier one that it repeats. */
export function resultOf(
  event: NewEvent,
  { byId, byKey }: Batch,
  results: Map<NewEvent, PublishResult>,
): PublishResult {
  const own = results.get(event);
  if (own) return own;
  const twin = byId.get(event.id) ?? byKey.get(keyOf(event.tenantId, event.idempotencyKey ?? ''));
  return results.get(twin!)!;
}

/** Neither part may contain control characters, so the pair is unambiguous. */
export const keyOf = (tenantId: string, key: string): string => `${tenantId}\n${key}`;

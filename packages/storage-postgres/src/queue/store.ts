import type { NewEvent } from '@posthorn/core/storage';
import { keyOf } from './batch.js';
import { payloadsOf } from './payload-bytes.js';

/** Encodes the events as `$1` to `$3`. */
export function encoded(events: readonly NewEvent[]) {
  const sortOf = new Map<string, number>();
  const sorts: { sort: number; tenant: string; type: string; keys: readonly string[] }[] = [];
  const { bytes, starts } = payloadsOf(events);
  const rows = events.map((event, n) => {
    const { tenantId, type, matchingPatterns, subject } = event;
    const name = keyOf(tenantId, type);
    let sort = sortOf.get(name);
    if (sort === undefined) {
      sort = sorts.length;
      sortOf.set(name, sort);
      sorts.push({ sort, tenant: tenantId, type, keys: matchingPatterns });
    }
    return {
      n,
      id: event.id,
      sort,
      start: starts[n]!,
      length: starts[n + 1]! - starts[n]!,
      at: event.occurredAt.getTime(),
      namespace: event.namespaceId ?? undefined,
      subjectType: subject?.type,
      subjectId: subject?.id,
      scope: event.cacheScope ?? undefined,
      ordering: event.orderingKey ?? undefined,
      key: event.idempotencyKey,
      fingerprint: event.fingerprint,
    };
  });
  return { rows, sorts, bytes };
}

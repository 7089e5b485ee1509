import type { WebhookEvent } from '@posthorn/core';
import { dateOf, msOf } from './values.js';

/** The columns of a row of `events`, as `e`, for {@link eventOf}, with this SQL in place of the payload. */
export const eventColumnsWith = (payload: string): string => `
  e.id, e.tenant_id, e.type, ${payload} as payload, ${msOf('e.occurred_at')} as occurred_at,
  e.namespace_id, e.subject_type, e.subject_id, e.cache_scope, e.ordering_key`;

export const eventColumns = eventColumnsWith('e.payload');

// biome-ignore lint/suspicious/noExplicitAny: a row as the client read it.
export function eventOf(row: Record<string, any>): WebhookEvent {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    type: row.type,
    payload: row.payload,
    occurredAt: dateOf(row.occurred_at),
    namespaceId: row.namespace_id,
    subject: row.subject_type === null ? null : { type: row.subject_type, id: row.subject_id },
    cacheScope: row.cache_scope,
    orderingKey: row.ordering_key,
  };
}

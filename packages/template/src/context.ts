import type { DigestedEvent, Message } from '@posthorn/core';
import { exactPayload, readJson } from './exact-json.js';

/** An event as templates see it. */
export interface EventContext {
  readonly id: string;
  readonly type: string;
  /** ISO 8601 UTC. */
  readonly occurred_at: string;
  readonly namespace_id: string | null;
  readonly subject: { readonly type: string; readonly id: string } | null;
  readonly payload: unknown;
  /** The payload, under its name on the wire. */
  readonly metadata: unknown;
}

/** What a template may speak of. There is nothing secret in it, and nothing of the webhook's configs. */
export interface TemplateContext {
  /** The event, under the names of the default body of a webhook. */
  readonly event_id: string;
  readonly event_type: string;
  /** ISO 8601 UTC. */
  readonly occurred_at: string;
  readonly namespace_id: string | null;
  readonly subject: { readonly type: string; readonly id: string } | null;
  /** The event's payload. */
  readonly metadata: unknown;
  /** Where the event has one. */
  readonly cache_scope?: unknown;
  readonly event: EventContext;
  readonly webhook: { readonly id: string; readonly name: string };
  readonly delivery: { readonly id: string; readonly attempt: number };
  /** Of a digest, all its events, first to last; the rest speaks of the first. */
  readonly events?: readonly EventContext[];
}

/** The names that a placeholder in single braces may begin with. */
export const contextNames: readonly (keyof TemplateContext)[] = [
  'event_id',
  'event_type',
  'occurred_at',
  'namespace_id',
  'subject',
  'metadata',
  'cache_scope',
  'event',
  'webhook',
  'delivery',
  'events',
];

/** What templates may speak of where `message` is sent. */
export function contextOf(message: Message): TemplateContext {
  const { event, webhook, deliveryId, attempt, digest } = message;
  const first = eventContext(message);
  return {
    event_id: first.id,
    event_type: first.type,
    occurred_at: first.occurred_at,
    namespace_id: first.namespace_id,
    subject: first.subject,
    metadata: first.metadata,
    ...(event.cacheScope === null ? {} : { cache_scope: readJson(event.cacheScope) }),
    event: first,
    webhook: { id: webhook.id, name: webhook.name },
    delivery: { id: deliveryId, attempt },
    ...(digest && { events: digest.map(eventContext) }),
  };
}

function eventContext({ event, payload }: DigestedEvent): EventContext {
  const exact = exactPayload({ event, payload });
  return {
    id: event.id,
    type: event.type,
    occurred_at: event.occurredAt.toISOString(),
    namespace_id: event.namespaceId,
    subject: event.subject,
    payload: exact,
    metadata: exact,
  };
}

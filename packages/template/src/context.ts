import type { DigestedEvent, Message } from '@posthorn/core/channel';
import { exactPayload, readJson } from './exact-json.js';

/** An event as seen by templates. */
export interface EventContext {
  readonly id: string;
  readonly type: string;
  /** ISO 8601 UTC. */
  readonly occurred_at: string;
  readonly namespace_id: string | null;
  readonly subject: { readonly type: string; readonly id: string } | null;
  readonly payload: unknown;
  /** The payload, under its name in the request body. */
  readonly metadata: unknown;
}

/** The values that a template can use. They contain no secrets and no configs of the webhook. */
export interface TemplateContext {
  /** The event's id. This and the next fields have the names of a webhook's default body. */
  readonly event_id: string;
  readonly event_type: string;
  /** ISO 8601 UTC. */
  readonly occurred_at: string;
  readonly namespace_id: string | null;
  readonly subject: { readonly type: string; readonly id: string } | null;
  /** The event's payload. */
  readonly metadata: unknown;
  /** Undefined if the event has none. */
  readonly cache_scope?: unknown;
  readonly event: EventContext;
  readonly webhook: { readonly id: string; readonly name: string };
  readonly delivery: { readonly id: string; readonly attempt: number };
  /** All events of a digest, in order. The other fields describe the first one. Undefined for a single event. */
  readonly events?: readonly EventContext[];
}

/** The names that a placeholder in single braces may start with. */
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

/** Builds the template context of a message. */
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

import type { WebhookEvent } from '@posthorn/core';

/** An event as it is kept, and what it was published with. */
export interface EventRow {
  readonly event: WebhookEvent;
  readonly publishedAt: number;
  /** How many deliveries it was published with. */
  readonly published: number;
}

type Fields = [
  type: string,
  occurredAt: number,
  publishedAt: number,
  published: number,
  namespaceId: string | null,
  subject: WebhookEvent['subject'],
  cacheScope: string | null,
  orderingKey: string | null,
  payload?: string,
];

/** What a store may change: U+0000, and halves of characters. JSON text may hold the latter. */
const fragile = /[\0\p{Cs}]/u;

/** A line of JSON and then the payload as it is: escaping it once more would cost the most of all. */
export function encodeEvent({ event, publishedAt, published }: EventRow): string {
  const { type, payload, occurredAt, namespaceId, subject, cacheScope, orderingKey } = event;
  const isFragile = fragile.test(payload);
  const fields: Fields = [
    type,
    occurredAt.getTime(),
    publishedAt,
    published,
    namespaceId,
    subject,
    cacheScope,
    orderingKey,
  ];
  if (isFragile) fields.push(payload);
  return `${JSON.stringify(fields)}\n${isFragile ? '' : payload}`;
}

export function decodeEvent(id: string, tenantId: string, text: string): EventRow {
  const line = text.indexOf('\n');
  const fields = JSON.parse(text.slice(0, line)) as Fields;
  const [type, occurredAt, publishedAt, published, namespaceId, subject, cacheScope, orderingKey] = fields;
  const payload = fields[8] ?? text.slice(line + 1);
  const at = new Date(occurredAt);
  const event = {
    id,
    tenantId,
    type,
    payload,
    occurredAt: at,
    namespaceId,
    subject,
    cacheScope,
    orderingKey,
  };
  return { event, publishedAt, published };
}

/** The payload's bytes, by which digests are measured. */
export const payloadBytes = ({ payload }: Pick<WebhookEvent, 'payload'>): number =>
  Buffer.byteLength(payload);

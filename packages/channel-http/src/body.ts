import type { Event } from '@posthorn/core';

/**
 * How an event is written. `default` is Posthorn's own body; `standard-webhooks` is `{type, timestamp, data}`;
 * `cloudevents` is CloudEvents 1.0 in structured, `cloudevents-binary` in binary mode. Signed alike.
 */
export type HttpFormat = 'default' | 'standard-webhooks' | 'cloudevents' | 'cloudevents-binary';

/** Writes events as a format wants them. The payload goes in as the text it was dispatched with, byte for byte. */
export interface BodyWriter {
  readonly contentType: string;
  write(event: Event): string;
  /** What the format wants to be said in headers: names and values in turn. */
  headers?(event: Event): readonly string[];
}

const text = JSON.stringify as (value: string | object | null) => string;

/** The writer of each format; `source` says where events come from, in the words of CloudEvents. */
export function bodyWriters(source: string): Readonly<Record<HttpFormat, BodyWriter>> {
  return {
    default: {
      contentType: 'application/json',
      write: (event) =>
        `{"event_id":${text(event.id)},"event_type":${text(event.type)}` +
        `,"occurred_at":"${event.occurredAt.toISOString()}","namespace_id":${text(event.namespaceId)}` +
        `,"subject":${text(event.subject)},"metadata":${event.payload}` +
        `${event.cacheScope === null ? '' : `,"cache_scope":${event.cacheScope}`}}`,
    },
    'standard-webhooks': {
      contentType: 'application/json',
      write: (event) =>
        `{"type":${text(event.type)},"timestamp":"${event.occurredAt.toISOString()}","data":${event.payload}}`,
    },
    cloudevents: {
      contentType: 'application/cloudevents+json',
      write: (event) =>
        `{"specversion":"1.0","id":${text(event.id)},"source":${text(source)},"type":${text(event.type)}` +
        `,"time":"${event.occurredAt.toISOString()}"` +
        `${event.subject ? `,"subject":${text(subjectOf(event.subject))}` : ''}` +
        `${event.namespaceId === null ? '' : `,"namespaceid":${text(event.namespaceId)}`}` +
        `,"datacontenttype":"application/json","data":${event.payload}}`,
    },
    'cloudevents-binary': {
      contentType: 'application/json',
      write: (event) => event.payload,
      headers: (event) => [
        ...['ce-specversion', '1.0', 'ce-id', event.id, 'ce-source', encoded(source), 'ce-type', event.type],
        ...['ce-time', event.occurredAt.toISOString()],
        ...(event.subject ? ['ce-subject', encoded(subjectOf(event.subject))] : []),
        ...(event.namespaceId === null ? [] : ['ce-namespaceid', encoded(event.namespaceId)]),
      ],
    },
  };
}

const subjectOf = ({ type, id }: NonNullable<Event['subject']>): string => `${type}/${id}`;

/** CloudEvents HTTP binding 1.0.2 §3.1.3.2: space, `"`, `%` and all that is not printable ASCII, as UTF-8. */
const encoded = (value: string): string =>
  value.replace(/[^!#$&-~]+/gu, (characters) =>
    Array.from(
      Buffer.from(characters),
      (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    ).join(''),
  );

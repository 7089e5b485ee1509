import { PosthornError, type WebhookEvent } from '@posthorn/core';
import type { Message } from '@posthorn/core/channel';
import { contextOf, type JsonTemplate, writeJson } from '@posthorn/template';

/**
 * The format of the body. `default` is Posthorn's own format; `standard-webhooks` is `{type, timestamp, data}`;
 * `cloudevents` is CloudEvents 1.0 in structured mode, `cloudevents-binary` in binary mode. All are signed the same
 * way.
 */
export type HttpFormat = 'default' | 'standard-webhooks' | 'cloudevents' | 'cloudevents-binary';

/** A request body with its content type and headers. */
export interface HttpBody {
  /** The text in pieces, so that the payload, by far the largest part, is not copied to join them. */
  readonly pieces: readonly string[];
  readonly contentType: string;
  /** Headers of the format, as alternating names and values. */
  readonly headers: readonly string[];
}

/** Writes events in a format. The payload is inserted as the text it was dispatched with, byte for byte. */
export interface BodyWriter {
  readonly contentType: string;
  /** Returns the pieces of the body. */
  write(event: WebhookEvent): readonly string[];
  /** Returns alternating names and values. */
  headers?(event: WebhookEvent): readonly string[];
  /** Writes the items of a JSON array of several events. */
  readonly batch: Pick<BodyWriter, 'contentType' | 'write'>;
}

/** Cap on a rendered body, so that a loop in a template cannot send megabytes. Equals the default cap of a payload. */
const maxRenderedBytes = 256 * 1024;

/** Builds the body of a message. For a digest: an array of the bodies that its events would have alone. */
export function bodyOf({ event, digest }: Message, writer: BodyWriter): HttpBody {
  if (digest) {
    const { contentType, write } = writer.batch;
    const pieces = digest.flatMap((one, i) => [i === 0 ? '[' : ',', ...write(one.event)]);
    return { pieces: [...pieces, ']'], contentType, headers: [] };
  }
  return {
    pieces: writer.write(event),
    contentType: writer.contentType,
    headers: writer.headers?.(event) ?? [],
  };
}

/**
 * Renders the body of a webhook's own template, of at most 256 KiB. It replaces the body of the writer, but not its
 * headers. A digest is rendered once, with its `events`. Throws `invalid_template`.
 */
export function renderedBody(template: JsonTemplate, message: Message, writer: BodyWriter): HttpBody {
  const text = writeJson(template.render(contextOf(message)));
  const bytes = Buffer.byteLength(text);
  if (bytes > maxRenderedBytes) {
    throw new PosthornError(
      'invalid_template',
      `it renders to ${bytes} bytes, more than ${maxRenderedBytes}`,
    );
  }
  const headers = message.digest ? [] : (writer.headers?.(message.event) ?? []);
  return { pieces: [text], contentType: 'application/json', headers };
}

/** Encodes a body to the bytes that are signed and sent. */
export function bytesOf({ pieces }: HttpBody): Buffer {
  let length = 0;
  for (const piece of pieces) length += Buffer.byteLength(piece);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const piece of pieces) at += bytes.write(piece, at);
  return bytes;
}

/** Like JSON.stringify, but faster for text that needs no escape, such as ids and types. */
const text = (value: string | object | null): string =>
  typeof value === 'string' && plain.test(value) ? `"${value}"` : JSON.stringify(value);

const plain = /^[\w.:-]*$/;

/** Creates the writer of each format. `source` is the CloudEvents attribute. */
export function bodyWriters(source: string): Readonly<Record<HttpFormat, BodyWriter>> {
  const inJson = (write: BodyWriter['write']): BodyWriter => {
    const contentType = 'application/json';
    return { contentType, write, batch: { contentType, write } };
  };
  const writeCloudEvent: BodyWriter['write'] = (event) => [
    `{"specversion":"1.0","id":${text(event.id)},"source":${text(source)},"type":${text(event.type)}` +
      `,"time":"${event.occurredAt.toISOString()}"` +
      `${event.subject ? `,"subject":${text(subjectOf(event.subject))}` : ''}` +
      `${event.namespaceId === null ? '' : `,"namespaceid":${text(event.namespaceId)}`}` +
      `,"datacontenttype":"application/json","data":`,
    event.payload,
    '}',
  ];
  // CloudEvents HTTP binding 1.0.2 §3.3: a batch contains structured events; binary mode has none.
  const batch = { contentType: 'application/cloudevents-batch+json', write: writeCloudEvent };
  return {
    default: inJson((event) => [
      `{"event_id":${text(event.id)},"event_type":${text(event.type)}` +
        `,"occurred_at":"${event.occurredAt.toISOString()}","namespace_id":${text(event.namespaceId)}` +
        `,"subject":${text(event.subject)},"metadata":`,
      event.payload,
      event.cacheScope === null ? '}' : `,"cache_scope":${event.cacheScope}}`,
    ]),
    'standard-webhooks': inJson((event) => [
      `{"type":${text(event.type)},"timestamp":"${event.occurredAt.toISOString()}","data":`,
      event.payload,
      '}',
    ]),
    cloudevents: { contentType: 'application/cloudevents+json', write: writeCloudEvent, batch },
    'cloudevents-binary': {
      contentType: 'application/json',
      write: (event) => [event.payload],
      headers: (event) => [
        ...['ce-specversion', '1.0', 'ce-id', event.id, 'ce-source', encoded(source), 'ce-type', event.type],
        ...['ce-time', event.occurredAt.toISOString()],
        ...(event.subject ? ['ce-subject', encoded(subjectOf(event.subject))] : []),
        ...(event.namespaceId === null ? [] : ['ce-namespaceid', encoded(event.namespaceId)]),
      ],
      batch,
    },
  };
}

const subjectOf = ({ type, id }: NonNullable<WebhookEvent['subject']>): string => `${type}/${id}`;

/** Percent-encodes space, `"`, `%` and all but printable ASCII, as UTF-8 (CloudEvents HTTP binding 1.0.2 §3.1.3.2). */
const encoded = (value: string): string =>
  value.replace(/[^!#$&-~]+/gu, (characters) =>
    Array.from(
      Buffer.from(characters),
      (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    ).join(''),
  );

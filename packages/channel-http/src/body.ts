import { type Event, type Message, PosthornError } from '@posthorn/core';
import { contextOf, type JsonTemplate, writeJson } from '@posthorn/template';

/**
 * How an event is written. `default` is Posthorn's own body; `standard-webhooks` is `{type, timestamp, data}`;
 * `cloudevents` is CloudEvents 1.0 in structured, `cloudevents-binary` in binary mode. Signed alike.
 */
export type HttpFormat = 'default' | 'standard-webhooks' | 'cloudevents' | 'cloudevents-binary';

/** A body to send, and what goes with it. */
export interface HttpBody {
  /** Its text, in pieces: the payload is by far the largest, and is not copied to stand among the others. */
  readonly pieces: readonly string[];
  readonly contentType: string;
  /** What the format wants to be said in headers: names and values in turn. */
  readonly headers: readonly string[];
}

/** Writes events as a format wants them. The payload goes in as the text it was dispatched with, byte for byte. */
export interface BodyWriter {
  readonly contentType: string;
  /** In pieces, as those of a body. */
  write(event: Event): readonly string[];
  /** Names and values in turn. */
  headers?(event: Event): readonly string[];
  /** How it writes several events into one JSON array. */
  readonly batch: Pick<BodyWriter, 'contentType' | 'write'>;
}

/** As much as the payload of an event may have by default: a loop in a template must not send megabytes. */
const maxRenderedBytes = 256 * 1024;

/** The body of a message: of a digest, an array of the bodies that its events would have had alone. */
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
 * The body that a webhook's own template makes, of at most 256 KiB. It takes the place of the writer's, and not of its
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

/** What of a body is signed and sent. */
export function bytesOf({ pieces }: HttpBody): Buffer {
  let length = 0;
  for (const piece of pieces) length += Buffer.byteLength(piece);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const piece of pieces) at += bytes.write(piece, at);
  return bytes;
}

/** As JSON.stringify, which takes its time even for what needs no escape: ids and types. */
const text = (value: string | object | null): string =>
  typeof value === 'string' && plain.test(value) ? `"${value}"` : JSON.stringify(value);

const plain = /^[\w.:-]*$/;

/** The writer of each format; `source` says where events come from, in the words of CloudEvents. */
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
  // CloudEvents HTTP binding 1.0.2 §3.3: a batch is of structured events, there is none in binary mode.
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

const subjectOf = ({ type, id }: NonNullable<Event['subject']>): string => `${type}/${id}`;

/** CloudEvents HTTP binding 1.0.2 §3.1.3.2: space, `"`, `%` and all that is not printable ASCII, as UTF-8. */
const encoded = (value: string): string =>
  value.replace(/[^!#$&-~]+/gu, (characters) =>
    Array.from(
      Buffer.from(characters),
      (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    ).join(''),
  );

import type { WebhookEvent } from '@posthorn/core';
import { bytesOf, type HttpBody } from './body.js';

/** A body and its bytes. */
export interface WrittenBody {
  readonly body: HttpBody;
  readonly bytes: Buffer;
}

export const writtenBody = (body: HttpBody): WrittenBody => ({ body, bytes: bytesOf(body) });

/**
 * Caches the last written body. The deliveries of an event that goes to thousands of webhooks follow each other and
 * share the same bytes. Otherwise each would hold a copy of its own while it is sent.
 */
export class SharedBody {
  #last: { readonly event: WebhookEvent; readonly written: WrittenBody } | undefined;

  /** Returns the cached body if it belongs to the same event, else the result of `write`. */
  of(event: WebhookEvent, write: () => WrittenBody): WrittenBody {
    if (!this.#last || !isSame(this.#last.event, event)) this.#last = { event, written: write() };
    return this.#last.written;
  }
}

/** Compares all fields that a body may contain. An id alone does not distinguish events of several dispatchers. */
const isSame = (a: WebhookEvent, b: WebhookEvent): boolean =>
  a.id === b.id &&
  a.type === b.type &&
  a.occurredAt.getTime() === b.occurredAt.getTime() &&
  a.namespaceId === b.namespaceId &&
  a.subject?.type === b.subject?.type &&
  a.subject?.id === b.subject?.id &&
  a.payload === b.payload &&
  a.cacheScope === b.cacheScope;

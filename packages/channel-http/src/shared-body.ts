import type { Event } from '@posthorn/core';
import { bytesOf, type HttpBody } from './body.js';

/** A body and its bytes. */
export interface WrittenBody {
  readonly body: HttpBody;
  readonly bytes: Buffer;
}

export const writtenBody = (body: HttpBody): WrittenBody => ({ body, bytes: bytesOf(body) });

/**
 * The last body that was written of an event: where an event goes to thousands of webhooks, they come one after the other,
 * and get the same bytes. Without that each would hold its own while it is sent.
 */
export class SharedBody {
  #last: { readonly event: Event; readonly written: WrittenBody } | undefined;

  /** The body of `event`: the one that was written last, where that is of the same event, or what `write` makes. */
  of(event: Event, write: () => WrittenBody): WrittenBody {
    if (!this.#last || !isSame(this.#last.event, event)) this.#last = { event, written: write() };
    return this.#last.written;
  }
}

/** All that a body may show: an id alone says nothing of events of other dispatchers. */
const isSame = (a: Event, b: Event): boolean =>
  a.id === b.id &&
  a.type === b.type &&
  a.occurredAt.getTime() === b.occurredAt.getTime() &&
  a.namespaceId === b.namespaceId &&
  a.subject?.type === b.subject?.type &&
  a.subject?.id === b.subject?.id &&
  a.payload === b.payload &&
  a.cacheScope === b.cacheScope;

import { PosthornError } from '../errors.js';

/**
 * Newest first: events and their deliveries by the event's id, which begins with the millisecond it was made in (those
 * of one millisecond in any order that pages can go on in), all else as it was created. `nextCursor` is null on the last
 * page; a cursor is opaque and good for the same query only.
 */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
  /** How many there are on all pages, where it was asked for. */
  readonly total?: number;
  /** Ids of webhooks that belong on this page, and cannot be read because what is stored of them is damaged. */
  readonly unreadable?: readonly string[];
}

export interface PageQuery {
  /** At most so many items, 1 or more. */
  readonly limit: number;
  /** Goes on behind the page that came with it; rejects with `invalid_option` where no page came with it. */
  readonly cursor?: string;
}

/** `limit` and `cursor` for a storage. Throws `invalid_option`. */
export function pageQuery(query: Partial<PageQuery>): PageQuery {
  const { limit = 50, cursor }: Partial<PageQuery> = Object.assign(Object.create(null), query);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new PosthornError('invalid_option', 'limit must be a whole number from 1 to 1000');
  }
  // What no page ever came with may be nothing that a storage can hold.
  if (cursor !== undefined && (typeof cursor !== 'string' || !/^[^\p{Cc}\p{Cs}]{1,1000}$/u.test(cursor))) {
    throw new PosthornError('invalid_option', 'cursor must be the nextCursor of an earlier page');
  }
  return { limit, ...(cursor !== undefined && { cursor }) };
}

import { PosthornError } from '../errors.js';

/**
 * One page of a list, newest first. Events and deliveries are ordered by the event's id, which begins with the
 * millisecond in which it was made; within one millisecond, in any order in which a cursor can continue. Everything
 * else is ordered by its creation.
 */
export interface Page<T> {
  readonly items: readonly T[];
  /** Pass it as `cursor` for the next page. Null on the last page. Opaque, and valid for the same query only. */
  readonly nextCursor: string | null;
  /** How many items there are on all pages, if the query asked for it. */
  readonly total?: number;
  /** The ids of webhooks on this page that cannot be read, because their stored record is damaged. */
  readonly unreadable?: readonly string[];
}

/** Asks for one page of a list. */
export interface PageQuery {
  /** The most items on the page, 1 or more. */
  readonly limit: number;
  /**
   * The `nextCursor` of an earlier page: continues after that page. Any other value is refused with `invalid_option`.
   */
  readonly cursor?: string;
}

/** Returns a checked `limit`, 50 by default, and `cursor`. Throws `invalid_option`. */
export function pageQuery(query: Partial<PageQuery>): PageQuery {
  const { limit = 50, cursor }: Partial<PageQuery> = Object.assign(Object.create(null), query);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new PosthornError('invalid_option', 'limit must be a whole number from 1 to 1000');
  }
  // Databases cannot store every text: a cursor that no page could have returned does not reach the storage.
  if (cursor !== undefined && (typeof cursor !== 'string' || !/^[^\p{Cc}\p{Cs}]{1,1000}$/u.test(cursor))) {
    throw new PosthornError('invalid_option', 'invalid cursor: pass the nextCursor of an earlier page');
  }
  return { limit, ...(cursor !== undefined && { cursor }) };
}

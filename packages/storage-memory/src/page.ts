import { type Page, type PageQuery, PosthornError } from '@posthorn/core';

/** What a list is ordered by, and how the place of the last entry of a page is read from a cursor. */
export interface Order<Entry> {
  readonly of: (entry: Entry) => number | string;
  /** Undefined where no page came with this cursor. */
  readonly read: (cursor: string) => number | string | undefined;
}

/** By a number that newer entries have a higher one of. */
export const byNumber = <Entry>(of: (entry: Entry) => number): Order<Entry> => ({
  of,
  read: (cursor) => (/^\d{1,15}$/.test(cursor) ? Number(cursor) : undefined),
});

/** By ids that `form` fits; those of later events sort after those of earlier ones. */
export const byId = <Entry extends { readonly id: string }>(form: RegExp): Order<Entry> => ({
  of: ({ id }) => id,
  read: (cursor) => (form.test(cursor) ? cursor : undefined),
});

/** A page of `entries`, which come newest first; the cursor is the place of the last one seen. `offset` passes over so many. */
export function pageOf<Entry, Item>(
  entries: readonly Entry[],
  { limit, cursor, offset = 0 }: PageQuery & { readonly offset?: number },
  order: Order<Entry>,
  itemOf: (entry: Entry) => Item,
): Page<Item> {
  const last = cursor === undefined ? undefined : order.read(cursor);
  if (cursor !== undefined && last === undefined) {
    throw new PosthornError('invalid_option', 'cursor must be one that a page came with');
  }
  const rest = last === undefined ? entries : entries.filter((entry) => order.of(entry) < last);
  const end = offset + limit;
  const shown = rest.slice(offset, end);
  const isLast = rest.length <= end;
  return { items: shown.map(itemOf), nextCursor: isLast ? null : String(order.of(shown.at(-1)!)) };
}

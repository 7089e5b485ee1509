import { type Page, type PageQuery, PosthornError } from '@posthorn/core';

/** A page of `entries`, which come newest first; the cursor is the order of the last one seen. `offset` passes over so many. */
export function pageOf<Entry, Item>(
  entries: readonly Entry[],
  { limit, cursor, offset = 0 }: PageQuery & { readonly offset?: number },
  orderOf: (entry: Entry) => number,
  itemOf: (entry: Entry) => Item,
): Page<Item> {
  if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) {
    throw new PosthornError('invalid_option', 'cursor must be one that a page came with');
  }
  const rest = cursor === undefined ? entries : entries.filter((entry) => orderOf(entry) < Number(cursor));
  const end = offset + limit;
  const shown = rest.slice(offset, end);
  const isLast = rest.length <= end;
  return { items: shown.map(itemOf), nextCursor: isLast ? null : String(orderOf(shown.at(-1)!)) };
}

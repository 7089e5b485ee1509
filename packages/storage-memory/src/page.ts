import type { Page } from '@posthorn/core';
import { checkCursor, type PageQuery } from '@posthorn/core/storage';

/** Formats a number as a part of a place, so that texts sort like numbers. */
export const padded = (number: number, length = 15): string => String(number).padStart(length, '0');

/**
 * Returns a page of `entries`, which are sorted by place, the highest first. Places are letters and digits of the same
 * length. The cursor is the place of the last item seen, which may have been deleted since. `offset` skips this many
 * entries.
 */
export function pageOf<Entry, Item>(
  entries: readonly Entry[],
  { limit, cursor, offset = 0 }: PageQuery & { readonly offset?: number },
  placeOf: (entry: Entry) => string,
  itemOf: (entry: Entry) => Item,
): Page<Item> {
  checkCursor(cursor, /^[0-9A-Za-z]{15,30}$/);
  const rest = cursor === undefined ? entries : entries.filter((entry) => placeOf(entry) < cursor);
  const end = offset + limit;
  const shown = rest.slice(offset, end);
  const isLast = rest.length <= end;
  return { items: shown.map(itemOf), nextCursor: isLast ? null : placeOf(shown.at(-1)!) };
}

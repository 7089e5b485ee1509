import { type Page, type PageQuery, PosthornError } from '@posthorn/core';

/** A number as a part of a place: such texts sort as the numbers do. */
export const padded = (number: number, length = 15): string => String(number).padStart(length, '0');

/**
 * A page of `entries`, which come with the highest place first: letters and digits, as many for each. The cursor is the
 * place of the last one seen, which may be gone by then. `offset` passes over so many.
 */
export function pageOf<Entry, Item>(
  entries: readonly Entry[],
  { limit, cursor, offset = 0 }: PageQuery & { readonly offset?: number },
  placeOf: (entry: Entry) => string,
  itemOf: (entry: Entry) => Item,
): Page<Item> {
  if (cursor !== undefined && !/^[0-9A-Za-z]{15,30}$/.test(cursor)) {
    throw new PosthornError('invalid_option', 'cursor must be one that a page came with');
  }
  const rest = cursor === undefined ? entries : entries.filter((entry) => placeOf(entry) < cursor);
  const end = offset + limit;
  const shown = rest.slice(offset, end);
  const isLast = rest.length <= end;
  return { items: shown.map(itemOf), nextCursor: isLast ? null : placeOf(shown.at(-1)!) };
}

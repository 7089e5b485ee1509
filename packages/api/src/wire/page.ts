import type { Page } from '@posthorn/core';
import { z } from 'zod';
import { unwrapCursor, wrapCursor } from '../cursor.js';
import { wholeNumber } from '../query.js';

const paginationSchema = z
  .object({
    total: z.int().nullable(),
    page: z.int().nullable(),
    page_size: z.int(),
    total_pages: z.int().nullable(),
    next_page: z.int().nullable(),
    previous_page: z.int().nullable(),
    next_cursor: z.string().nullable().meta({ description: 'Send it as `cursor` to get the next page' }),
  })
  .meta({ id: 'Pagination', description: 'Fields that do not apply are null' });
type Pagination = z.output<typeof paginationSchema>;

/** A page of `item`s. */
export const pageSchema = <Item extends z.ZodType>(item: Item) =>
  z.object({ results: z.array(item), pagination: paginationSchema, total: z.int().nullable() });

/** A page of `item`s that always has the total number of items. */
export const countedPageSchema = <Item extends z.ZodType>(item: Item) =>
  pageSchema(item).extend({ total: z.int().meta({ description: 'How many items there are on all pages' }) });

/** The query parameters of every list. */
export const pageQuery = {
  limit: wholeNumber(1, 1000).default(50).meta({ description: 'The maximum number of items' }),
  cursor: z.string().optional().meta({ description: 'The `next_cursor` of the previous page' }),
};

/** The page that a list requests from the storage. Refuses a cursor of another tenant or query (422). */
export function askedPage<Query extends { readonly limit: number; readonly cursor?: string | undefined }>(
  list: string,
  tenantId: string,
  { limit, cursor, ...filter }: Query,
): { readonly limit: number; readonly cursor?: string; readonly scope: readonly unknown[] } {
  const scope = [list, tenantId, filter];
  const unwrapped = unwrapCursor(cursor, scope);
  return { limit, scope, ...(unwrapped !== undefined && { cursor: unwrapped }) };
}

/** The pagination of a page that is read by cursor. */
export function paginationOf(
  { nextCursor }: Page<unknown>,
  { limit, scope }: { readonly limit: number; readonly scope: readonly unknown[] },
): Pagination {
  return {
    total: null,
    page: null,
    page_size: limit,
    total_pages: null,
    next_page: null,
    previous_page: null,
    next_cursor: wrapCursor(nextCursor, scope),
  };
}

/** The pagination of a page that is read by offset; with `total` if it was requested. */
export function numbered(pagination: Pagination, offset: number, total: number | undefined): Pagination {
  const { page_size: size, next_cursor: next } = pagination;
  const page = Math.floor(offset / size) + 1;
  return {
    ...pagination,
    total: total ?? null,
    page,
    total_pages: total === undefined ? null : Math.ceil(total / size),
    next_page: next === null ? null : page + 1,
    previous_page: page > 1 ? page - 1 : null,
  };
}

/** The answer of a list by cursor, with each item as `itemOf` writes it. */
export function pageAnswer<Found, Item>(
  found: Page<Found>,
  asked: { readonly limit: number; readonly scope: readonly unknown[] },
  itemOf: (found: Found) => Item,
): { readonly status: number; readonly body: unknown } {
  const pagination = paginationOf(found, asked);
  return { status: 200, body: { results: found.items.map(itemOf), pagination, total: null } };
}

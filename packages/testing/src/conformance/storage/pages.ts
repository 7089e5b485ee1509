import type { Page } from '@posthorn/core';
import type { PageQuery } from '@posthorn/core/storage';
import { ok } from '../assertions.js';

export function nextCursorOf({ nextCursor }: Page<unknown>): string {
  ok(nextCursor !== null, 'there must be a next page');
  return nextCursor;
}

/** Returns all items of a query, page by page. */
export async function pagesOf<T>(
  query: (page: PageQuery) => Promise<Page<T>>,
  limit = 100,
): Promise<readonly (readonly T[])[]> {
  const pages: (readonly T[])[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await query({ limit, ...(cursor !== null && { cursor }) });
    ok(page.items.length <= limit, `a page with a limit of ${limit} has ${page.items.length} items`);
    ok(pages.length < 1_000, 'the pages do not end');
    pages.push(page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return pages;
}

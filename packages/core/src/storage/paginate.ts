import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Page, PageQuery } from './page.js';

const pageSize = 1_000;
const maxPages = 10;

/** Yields every page of a query, of up to `limit` items each, and yields to the event loop between the pages. */
export async function* readPages<Item>(
  read: (query: PageQuery) => Promise<Page<Item>>,
  limit: number,
): AsyncGenerator<Page<Item>> {
  let cursor: string | null = null;
  do {
    if (cursor !== null) await nextTurn();
    const page: Page<Item> = await read({ limit, ...(cursor !== null && { cursor }) });
    yield page;
    cursor = page.nextCursor;
  } while (cursor !== null);
}

/** Yields up to 10,000 items of a query, which it reads 1,000 at a time. If there are more, it calls `onCut` at the end. */
export async function* paginate<Item>(
  read: (query: PageQuery) => Promise<Page<Item>>,
  onCut: () => void,
): AsyncGenerator<Item> {
  let pagesLeft = maxPages;
  for await (const { items, nextCursor } of readPages(read, pageSize)) {
    yield* items;
    if (--pagesLeft > 0) continue;
    if (nextCursor !== null) onCut();
    return;
  }
}

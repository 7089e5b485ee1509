import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Page, PageQuery } from './page.js';

const pageSize = 1_000;
const maxPages = 10;

/**
 * Yields up to 10,000 items of a query. It reads 1,000 at a time, and yields to the event loop between the pages. If
 * there are more items, it calls `onCut` at the end.
 */
export async function* paginate<Item>(
  read: (query: PageQuery) => Promise<Page<Item>>,
  onCut: () => void,
): AsyncGenerator<Item> {
  let cursor: string | null = null;
  for (let pages = 0; pages < maxPages; pages++) {
    const page: Page<Item> = await read({ limit: pageSize, ...(cursor !== null && { cursor }) });
    yield* page.items;
    cursor = page.nextCursor;
    if (cursor === null) return;
    await nextTurn();
  }
  onCut();
}

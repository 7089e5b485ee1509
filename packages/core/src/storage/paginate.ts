import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Page, PageQuery } from './page.js';

const pageSize = 1_000;
const maxPages = 10;

/**
 * Each item of a query, read a thousand at a time, with a turn of the event loop for others between the pages. At most
 * 10,000; where there are more, `onCut` is called at the end.
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

import { createIds, type NewEvent } from '@posthorn/core/storage';
import { expect, test } from 'vitest';
import { kvStorage, memoryKv } from '../../src/index.js';

/** More rows than one transaction looks at. */
const count = 4_500;

test('a filter that few fit finds them among many, page by page, and other calls go on meanwhile', async () => {
  const store = memoryKv();
  let transactions = 0;
  const counted: typeof store = {
    transact(run) {
      transactions++;
      return store.transact(run);
    },
  };
  const storage = kvStorage(counted);
  let at = Date.now() - count;
  const ids = createIds({ now: () => at++ });
  const events = Array.from(
    { length: count },
    (_, i): NewEvent => ({
      id: ids.event(),
      tenantId: 'default',
      type: i % 1_500 === 0 ? 'rare' : 'common',
      payload: '{}',
      occurredAt: new Date(),
      namespaceId: null,
      subject: null,
      cacheScope: null,
      orderingKey: null,
      matchingPatterns: [],
    }),
  );
  await storage.deliveries.publish(events);
  const rare = events.filter(({ type }) => type === 'rare').map(({ id }) => id);

  transactions = 0;
  const first = await storage.log.events('default', { type: 'rare', limit: 2 });
  expect(first.items.map(({ id }) => id)).toEqual([rare[2], rare[1]]);
  expect(transactions).toBe(3);
  const last = await storage.log.events('default', { type: 'rare', limit: 1, cursor: first.nextCursor! });
  expect([last.items.map(({ id }) => id), last.nextCursor]).toEqual([[rare[0]], null]);
});

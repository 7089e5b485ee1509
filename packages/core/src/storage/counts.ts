import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Delivery } from '../models/delivery.js';
import type { DeliveryCounts, DeliveryLog } from './log-port.js';
import type { Page } from './page.js';

const pageSize = 1_000;
const none: DeliveryCounts = { pending: 0, sending: 0, delivered: 0, dead: 0, cancelled: 0 };

/**
 * Counts the deliveries of a log that has no `counts`. It reads all that are selected, page by page, with a turn of the
 * event loop for others between the pages.
 */
export function countsByPaging(deliveries: DeliveryLog['deliveries']): NonNullable<DeliveryLog['counts']> {
  return async (tenantId, selection, bounds) => {
    const counts = Array.from({ length: bounds.length + 1 }, () => ({ ...none }));
    let cursor: string | null = null;
    do {
      if (cursor !== null) await nextTurn();
      const query = { ...selection, limit: pageSize, ...(cursor !== null && { cursor }) };
      const page: Page<Delivery> = await deliveries(tenantId, query);
      for (const { eventId, status } of page.items) {
        counts[bounds.filter((bound) => bound <= eventId).length]![status]++;
      }
      cursor = page.nextCursor;
    } while (cursor !== null);
    return counts;
  };
}

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Delivery } from '../models/delivery.js';
import type { DeliveryCounts, DeliveryLog } from './log-port.js';
import type { Page } from './page.js';

const pageSize = 1_000;
const none: DeliveryCounts = { pending: 0, sending: 0, delivered: 0, dead: 0, cancelled: 0 };

/**
 * Returns `counts` for a log without it. It reads all selected deliveries page by page, and yields to the event loop
 * between the pages.
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

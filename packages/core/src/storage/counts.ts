import type { DeliveryCounts, DeliveryLog } from './log-port.js';
import { readPages } from './paginate.js';

const pageSize = 1_000;
const none: DeliveryCounts = { pending: 0, sending: 0, delivered: 0, dead: 0, cancelled: 0 };

/** Returns `counts` for a log without it. It reads all selected deliveries page by page. */
export function countsByPaging(deliveries: DeliveryLog['deliveries']): NonNullable<DeliveryLog['counts']> {
  return async (tenantId, selection, bounds) => {
    const counts = Array.from({ length: bounds.length + 1 }, () => ({ ...none }));
    const pages = readPages((query) => deliveries(tenantId, { ...selection, ...query }), pageSize);
    for await (const { items } of pages) {
      for (const { eventId, status } of items) {
        counts[bounds.filter((bound) => bound <= eventId).length]![status]++;
      }
    }
    return counts;
  };
}

import { refuse } from './refusal.js';
import type { AnyDispatcher } from './route.js';

/** How long a count is reused: counting takes a call of the storage. */
const countedForMs = 60_000;
const maxTenants = 10_000;

/** Refuses (400) another webhook if the tenant already has `max`. */
export function webhookQuota(max: number): (dispatcher: AnyDispatcher, tenantId: string) => Promise<void> {
  const rooms = new Map<string, { room: number; readonly until: number }>();
  return async (dispatcher, tenantId) => {
    let known = rooms.get(tenantId);
    if (!known || known.room <= 0 || known.until < performance.now()) {
      const { total = 0 } = await dispatcher.webhooks.list({ tenantId, limit: 1, withTotal: true });
      known = { room: max - total, until: performance.now() + countedForMs };
      if (rooms.size >= maxTenants) rooms.clear();
      rooms.set(tenantId, known);
    }
    if (known.room <= 0) throw refuse(400, `this tenant may have at most ${max} webhooks: delete one first`);
    known.room--;
  };
}

import type { Database } from '../client/database.js';
import { isOfRow } from '../client/given-rows.js';
import { isDelivery } from './digests.js';

/** Small enough that other statements do not have to wait. */
const batch = 5_000;

/**
 * Cancels the unfinished deliveries of a deleted webhook, in small batches. Resolves when none is left. An event that
 * is published at the same time may add more: the worker that finds one calls this again.
 */
export function cancelWaiting(db: Database): (webhookId: string) => Promise<void> {
  const statement = db.statement(`
    with orphans as materialized (
      select p.event_id, p.binding_id from $.queue p
      where p.webhook_id = $1::text and not exists (select from $.webhooks w where w.id = p.webhook_id)
      limit ${batch} for update of p skip locked
    ), ended as (
      delete from $.queue q using orphans o where ${isOfRow('o')}
      returning q.*
    ), kept as (
      insert into $.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before,
        finished_at, position)
      select event_id, binding_id, webhook_id, channel, 'cancelled', attempts, attempts_before, $now, position
      from ended where ${isDelivery('ended')}
      on conflict do nothing
    )
    select count(*)::integer as count from ended`);
  return async (webhookId) => {
    for (;;) {
      const [row] = await db.run(statement, [webhookId]);
      if (Number(row!.count) < batch) return;
    }
  };
}

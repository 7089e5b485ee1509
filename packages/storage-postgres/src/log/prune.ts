import { type DeliveryLog, firstEventId } from '@posthorn/core';
import type { Database } from '../client/database.js';
import { hasKey } from '../client/given-rows.js';

/** By so much the clock of whoever named an event may be ahead; beyond, the event is kept for that much longer. */
const skewMs = 3_600_000;

/**
 * Forgets old events in batches, each a statement of its own, and idempotency keys that need not be remembered.
 */
export function pruner(db: Database): DeliveryLog['prune'] {
  const forget = db.statement(
    `with old as materialized (
      select e.id from $.events e
      -- What was named later than it could be old is not read at all, nor are the partitions of such.
      where e.id < $3::text and e.published_at <= $now - $1::float8 * interval '1 millisecond'
        and (select true from $.queue q where q.event_id = e.id limit 1) is null
      order by e.id limit $2::integer for update skip locked
    ), attempts as (
      delete from $.attempts a using old o where ${hasKey('a', { event_id: 'o.id' })}
    ), deliveries as (
      -- Of a binding's id the primary key alone knows, which is the index that begins with the event's.
      delete from $.deliveries d using old o where ${hasKey('d', { event_id: 'o.id' })} and d.binding_id >= ''
    ), events as (
      delete from $.events e using old o where ${hasKey('e', { id: 'o.id' })} returning 1
    )
    select count(*)::integer as count from events`,
    { isRepeatable: false },
  );
  const forgetKeys = db.statement(`
    delete from $.idempotency_keys k where k.ctid = any (array(
      select o.ctid from $.idempotency_keys o where o.remembered_at < $now - interval '24 hours'
      order by o.remembered_at limit $1::integer for update skip locked))`);
  return async ({ olderThanMs, limit }) => {
    await db.run(forgetKeys, [limit]);
    const latest = Math.max(0, Date.now() + db.clockOffset - olderThanMs + skewMs);
    const [row] = await db.run(forget, [olderThanMs, limit, firstEventId(latest)]);
    return Number(row!.count);
  };
}

import { type DeliveryLog, firstEventId } from '@posthorn/core/storage';
import type { Database } from '../client/database.js';
import { hasKey } from '../client/given-rows.js';

/** How far the clock that made an event id may be ahead. An event beyond that is kept longer by the excess. */
const skewMs = 3_600_000;

/**
 * Deletes old events in batches, each in a statement of its own, and expired idempotency keys.
 */
export function pruner(db: Database): DeliveryLog['prune'] {
  const forget = db.statement(
    `with old as materialized (
      select e.id from $.events e
      -- The bound on the id skips events, and whole partitions, that are too new to be old.
      where e.id < $3::text and e.published_at <= $now - $1::float8 * interval '1 millisecond'
        and (select true from $.queue q where q.event_id = e.id limit 1) is null
      order by e.id limit $2::integer for update skip locked
    ), attempts as (
      delete from $.attempts a using old o where ${hasKey('a', { event_id: 'o.id' })}
    ), deliveries as (
      -- Only the primary key has the binding id, after the event id: the condition makes the planner use it.
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

import { type DeliveryLog, firstEventId } from '@posthorn/core/storage';
import type { Database } from '../client/database.js';
import { batchFromFirst, few, fromFirst, hasKey } from '../client/given-rows.js';

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
        and (
          select true from $.queue q ${fromFirst} where q.event_id = e.id order by q.binding_id limit 1) is null
      order by e.id limit $2::integer for update skip locked
    ), attempts as (
      delete from $.attempts a using old o where ${hasKey('a', { event_id: 'o.id' })}
    ), theirs as materialized (
      -- By the order, because another index has the event id second.
      select o.id as event, d.binding_id as binding from old o cross join lateral (
        select d.binding_id from $.deliveries d where d.event_id = o.id order by d.event_id, d.binding_id offset 0) d
      where ${few('length(o.id)')}
    ), deliveries as (
      delete from $.deliveries d using theirs t where ${hasKey('d', { event_id: 't.event', binding_id: 't.binding' })}
    ), events as (
      delete from $.events e using old o where ${hasKey('e', { id: 'o.id' })} returning 1
    )
    select count(*)::integer as count from events`,
    { isRepeatable: false },
  );
  const forgetKeys = db.statement(`
    delete from $.idempotency_keys k where k.ctid = any (array(
      select o.ctid from $.idempotency_keys o ${batchFromFirst} where o.remembered_at < $now - interval '24 hours'
      order by o.remembered_at limit $1::integer for update of o skip locked))`);
  return async ({ olderThanMs, limit }) => {
    await db.run(forgetKeys, [limit]);
    const latest = Math.max(0, Date.now() + db.clockOffset - olderThanMs + skewMs);
    const [row] = await db.run(forget, [olderThanMs, limit, firstEventId(latest)]);
    return Number(row!.count);
  };
}

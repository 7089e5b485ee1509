import { type DeliveryLog, deliveryId, parseDeliveryId } from '@posthorn/core/storage';
import type { Database } from '../client/database.js';
import { few, hasKey, isOfRow, isQueued } from '../client/given-rows.js';
import type { Answer } from '../client/queryable.js';
import { isInDigest, isMember, withMembers } from '../queue/digests.js';
import { advanceChains, chainsOf } from '../queue/ordering.js';

/** Restarts waiting and finished deliveries. */
const restartText = `with given as materialized (
  select * from json_to_recordset($2::json) as g(event text, binding text)
), mine as materialized (
  select g.*, e.ordering_key from given g cross join lateral (
    select ordering_key from $.events where id = g.event and tenant_id = $1::text offset 0
  ) e where ${few('length(g.event)')}
), waiting as (
  -- A gathering delivery is sent alone.
  update $.queue q set is_ready = true, is_held = false, yields = true, due_at = $now,
    digest_id = null, gathers_until = null, look_at = null, attempts_before = q.attempts,
    put_off_since = null, uncounted = null
  from mine m
  where ${isQueued('m.event', 'm.binding')} and q.lease is null and coalesce(q.digest_id, '') = ''
    and (select true from $.webhooks w where w.id = q.webhook_id) is not null
  returning q.event_id, q.binding_id, q.ordering_key
), digests as (
  update $.queue q set is_ready = true, due_at = $now, attempts_before = q.attempts,
    put_off_since = null, uncounted = null
  from (
    select distinct o.binding_id, o.digest_id from mine m cross join lateral (
      select binding_id, digest_id from $.queue where event_id = m.event and binding_id = m.binding offset 0
    ) o where o.digest_id <> ''
  ) d
  where ${isQueued('d.digest_id', 'd.binding_id')} and q.lease is null
    and (select true from $.webhooks w where w.id = q.webhook_id) is not null
  returning q.event_id, q.binding_id
), members as ${withMembers('digests d', 'd.binding_id', 'd.event_id')}, together as (
  update $.queue q set gathers_until = $now, attempts_before = q.attempts from members m where ${isMember('m')}
  returning q.event_id, q.binding_id
), finished as (
  delete from $.deliveries d using mine m
  where ${hasKey('d', { event_id: 'm.event', binding_id: 'm.binding' })}
    and (select true from $.webhooks w where w.id = d.webhook_id and w.tenant_id = $1::text) is not null
  returning d.*, m.ordering_key
), logged as (
  insert into $.attempts (event_id, binding_id, id, number, started_at, duration_ms, outcome, kind, message,
    http_status, response)
  select event_id, binding_id, attempt_id, attempts, started_at, duration_ms, coalesce(outcome, status), kind, message,
    http_status, response
  from finished where attempt_id is not null
), queued as (
  insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, lease, position, attempts,
    attempts_before, is_ready, is_held, yields, ordering_key, memo)
  select event_id, binding_id, $1::text, webhook_id, channel, $now, null,
    position, attempts, attempts, true, false, true, ordering_key, memo
  from finished
)
select event_id, binding_id, ordering_key from waiting
union all select event_id, binding_id, null from together
union all select event_id, binding_id, ordering_key from finished`;

const cancelText = `with given as materialized (
  select * from json_to_recordset($2::json) as g(event text, binding text)
), ended as (
  delete from $.queue q using given g
  where ${isQueued('g.event', 'g.binding')} and q.tenant_id = $1::text
  returning q.*
), emptied as (
  -- If the last deliveries of a digest leave it concurrently, this deletes nothing, and the next claim finds it empty.
  delete from $.queue q using (select distinct binding_id, digest_id from ended where digest_id <> '') e
  where ${isQueued('e.digest_id', 'e.binding_id')} and (
    select true from $.queue o where ${isInDigest('o', 'e.binding_id', 'e.digest_id')}
      and (o.event_id, o.binding_id) not in (select event, binding from given) limit 1) is null
), kept as (
  insert into $.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before,
    finished_at, position, memo)
  select event_id, binding_id, webhook_id, channel, 'cancelled', attempts, attempts_before, $now, position,
    coalesce(memo, (select o.memo from $.queue o where o.event_id = e.digest_id and o.binding_id = e.binding_id))
  from ended e
)
select event_id, binding_id, ordering_key from ended`;

const dueText = `with given as materialized (
  select * from json_to_recordset($2::json) as g(n integer, event text, binding text)
), mine as materialized (
  select q.* from given g cross join lateral (
    select o.event_id, o.binding_id, o.digest_id from $.queue o
    where o.event_id = g.event and o.binding_id = g.binding and o.tenant_id = $1::text and o.lease is null
      and o.digest_id is distinct from '' offset 0
  ) q where ${few('g.n')}
), rows as materialized (
  select distinct coalesce(digest_id, event_id) as event_id, binding_id from mine
), free as materialized (
  select r.event_id, r.binding_id from rows r cross join lateral (
    select from $.queue o where o.event_id = r.event_id and o.binding_id = r.binding_id and o.lease is null offset 0
  ) o where ${few('length(r.event_id)')}
), due as (
  -- A delivery behind another with its ordering key is sent when it is let in. The conditions are written so that they
  -- match no index: with the index of waiting deliveries, each row would step over all of them.
  update $.queue q set due_at = $now, is_ready = q.ordering_key is null
  from free f
  where ${isOfRow('f')}
    and case when q.lease is null and not q.is_ready and not q.is_held then q.due_at > $now end
  returning q.event_id, q.binding_id
), members as ${withMembers('due d', 'd.binding_id', 'd.event_id')}, together as (
  update $.queue q set gathers_until = $now from members m where ${isMember('m')}
)
select m.event_id, m.binding_id, null as ordering_key from mine m
join free f on f.event_id = coalesce(m.digest_id, m.event_id) and f.binding_id = m.binding_id`;

/** Moves deliveries between `queue` and `deliveries`, restarts waiting ones, or makes them due at once. */
export function transitioner(db: Database): DeliveryLog['transition'] {
  const statements = {
    pending: db.statement(restartText, { isRepeatable: false }),
    cancelled: db.statement(cancelText, { isRepeatable: false }),
    due: db.statement(dueText),
  };
  return async (tenantId, deliveryIds, to) => {
    const given = deliveryIds.flatMap((id, n) => {
      const named = parseDeliveryId(id);
      return named ? [{ n, event: named.eventId, binding: named.bindingId }] : [];
    });
    if (given.length === 0) return [];
    const rows = await db.run(statements[to], [tenantId, JSON.stringify(given)]);
    await advanceChains(db, chainsOf(rows.flatMap(chainOf)));
    const moved = new Set(rows.map((row) => deliveryId(row.event_id, row.binding_id)));
    return [...new Set(deliveryIds)].filter((id) => moved.has(id));
  };
}

const chainOf = (row: Answer['rows'][number]) =>
  row.ordering_key === null ? [] : [{ bindingId: row.binding_id, orderingKey: row.ordering_key }];

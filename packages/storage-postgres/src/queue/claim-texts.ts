import { eventColumnsWith } from '../client/event-rows.js';
import { batchFromFirst, few, fromFirst, isOfRow } from '../client/given-rows.js';
import { beginning, msOf } from '../client/values.js';
import { gathersStill, isInDigest } from './digests.js';
import { mayGo } from './ordering.js';
import { inlineBytes } from './payloads.js';
import { stampOf } from './webhook-cache.js';

/*
 * The two statements that claim. The look wakes what is due and finds the lanes. The take leases some deliveries of
 * each lane.
 */

/** The limits of a look: this many lanes, and this many alarms. */
const maxLanes = 5_000;
export const maxDue = 1_000;
/** The limit of a take for one lane. */
export const maxShare = 1_000;
/** Finds what is due at `$1` or later, and walks through the lanes after the one of tenant `$2` and webhook `$3`. */
export const discoverText = `
  with recursive due as materialized (
    select q.event_id, q.binding_id, ${mayGo} as may_go from $.queue q ${batchFromFirst}
    where not q.is_ready and q.due_at <= $now and q.due_at >= to_timestamp($1::float8 / 1000)
    order by q.due_at limit ${maxDue} for update of q skip locked
  ), woken as (
    update $.queue q set is_ready = true, is_held = false
    from due d where d.may_go and ${isOfRow('d')}
    returning q.tenant_id, q.webhook_id
  ), held as (
    -- They are checked again later, with a growing delay.
    update $.queue q set is_held = true, due_at = $now + least(interval '10 minutes', greatest(interval '5 seconds',
      $now - (select e.published_at from $.events e where e.id = q.event_id)))
    from due d where not d.may_go and ${isOfRow('d')}
  ), ready (tenant_id, webhook_id, n) as (
    (select q.tenant_id, q.webhook_id, 1 from $.queue q ${fromFirst}
      where q.is_ready and (q.tenant_id, q.webhook_id) > ($2::text, $3::text)
        and q.due_at >= to_timestamp($1::float8 / 1000)
      order by q.tenant_id, q.webhook_id limit 1)
    union all
    select next.tenant_id, next.webhook_id, ready.n + 1 from ready cross join lateral (
      select q.tenant_id, q.webhook_id from $.queue q ${fromFirst}
      where q.is_ready and (q.tenant_id, q.webhook_id) > (ready.tenant_id, ready.webhook_id)
        and q.due_at >= to_timestamp($1::float8 / 1000)
      order by q.tenant_id, q.webhook_id limit 1
    ) next where ready.n < ${maxLanes}
  ), lanes as (
    select tenant_id, webhook_id from ready union select tenant_id, webhook_id from woken
  )
  select (extract(epoch from $now) * 1000)::bigint::text as now, (select count(*)::integer from due) as alarms,
    (select count(*)::integer from (
      select from $.queue q ${fromFirst} where ${gathersStill} and q.look_at <= $now order by q.look_at limit 1) g) as gathered,
    (select json_build_array(tenant_id, webhook_id)::text from ready where n = ${maxLanes}) as last,
    (select coalesce(json_agg(json_build_array(l.tenant_id, l.webhook_id, w.is_active)), '[]')::text
      from lanes l left join lateral (
        select is_active from $.webhooks where id = l.webhook_id offset 0
      ) w on true where w.is_active is not false) as lanes`;

export interface TakeShape {
  /** Whether takes are slow. Then the take also returns the due time up to which it has taken each lane. */
  readonly isSlow: boolean;
  /** Whether the attempts begin with the take. */
  readonly isBegun: boolean;
}

/**
 * The start of a lost attempt: one that began under a lease that has expired, or an earlier one that is not recorded
 * yet.
 */
const lostAt = 'case when q.lease is null then q.lost_at else coalesce(q.begun_at, q.lost_at) end';
/** Only a first attempt begins with its claim: where its worker dies, the schedule does not count it. */
const mayBegin = `q.attempts = q.attempts_before and (${lostAt}) is null`;
const begins = `begun_at = case when ${mayBegin} then ${beginning} end,
      attempts = q.attempts + case when ${mayBegin} then 1 else 0 end`;

/** Leases this many of each lane, and `$4` in total. Payloads that are not large come with the rows. */
export const takeText = ({ isSlow, isBegun }: TakeShape): string => `
  with lanes as materialized (
    select * from json_to_recordset($1::json) as l(n integer, tenant text, webhook text, count integer, since float8)
  ), picked as materialized (
    select l.webhook, p.* from lanes l
    cross join lateral (
      select from $.webhooks where id = l.webhook and is_active offset 0
    ) w
    cross join lateral (
      select * from (
        select q.event_id, q.binding_id, q.due_at, q.ordering_key, q.position, q.put_off_since
        from $.queue q ${batchFromFirst}
        where q.is_ready and q.tenant_id = l.tenant and q.webhook_id = l.webhook
          and q.due_at >= to_timestamp(l.since / 1000) and ${mayGo}
        order by q.due_at limit ${maxShare} for update of q skip locked
      ) r limit l.count
    ) p
    where ${few('l.n')}
    limit $4::integer
  ), claimed as (
    update $.queue q set is_ready = false, lease = $2::bigint, ${isBegun ? begins : 'begun_at = null'},
      lost_at = ${lostAt},
      -- While it was due and not claimed, it was not deferred.
      put_off_since = q.put_off_since + greatest(interval '0', $now - p.due_at),
      due_at = $now + $3::float8 * interval '1 millisecond'
    from picked p
    where ${isOfRow('p')} and (p.ordering_key is null or (p.position, p.event_id) = (
      select o.position, o.event_id from picked o
      where o.binding_id = p.binding_id and o.ordering_key = p.ordering_key
      order by o.position, o.event_id limit 1))
    returning q.event_id, q.binding_id, q.webhook_id, q.attempts, q.attempts_before, q.uncounted, q.memo, q.begun_at,
      q.lost_at, q.put_off_since, p.due_at, p.put_off_since as put_off_before
  )
  select c.event_id, c.binding_id, c.webhook_id, c.attempts, c.attempts_before, c.uncounted, c.memo,
    ${msOf('c.begun_at')} as begun_at, ${msOf('c.lost_at')} as lost_at, ${msOf('c.put_off_since')} as put_off_since, w.stamp, ${eventColumnsWith(`case when e.bytes <= ${inlineBytes} then e.payload end`)},
    case when starts_with(c.event_id, 'dig_') then (
      select sum((select octet_length(payload) from $.events where id = m.event_id)) from $.queue m
      where ${isInDigest('m', 'c.binding_id', 'c.event_id')}) else e.bytes end as bytes,
    date_part('epoch', c.due_at) * 1000 as due, date_part('epoch', c.put_off_before) * 1000 as put_off_before${
      isSlow
        ? `, (select json_object_agg(t.webhook_id, t.ms)::text from (
        select webhook_id, extract(epoch from max(due_at)) * 1000 as ms from claimed group by webhook_id) t) as taken`
        : ''
    }
  from claimed c
  left join lateral (
    select *, octet_length(payload) as bytes from $.events where id = c.event_id offset 0
  ) e on true
  left join lateral (select ${stampOf('w')} as stamp from $.webhooks w where w.id = c.webhook_id offset 0) w on true`;

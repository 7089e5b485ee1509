import { few } from './database.js';
import { gatheredAt } from './digests.js';

/*
 * The statements that write results. The rows are found by their keys, never by the places that a snapshot saw: whoever
 * has to wait for another's update then goes on with the row as it is. Each statement goes through its rows once, in the
 * order of their keys, so that no two wait for each other.
 */

/** A settlement as it goes to Postgres. */
const given = `json_to_recordset($1::json) as g(
  n integer, event text, binding text, lease bigint, status text, delay float8, yields boolean, id text, number integer,
  at float8, took integer, outcome text, kind text, message text, http smallint, response text, memo text, begin json)`;

export const isHeld: string = `${few('g.n')} and q.event_id = g.event and q.binding_id = g.binding and q.lease = g.lease`;

/** What a result says, of each delivery in a digest alike. */
const result = `n, status, id, number, at, took, outcome, kind, message, http, response, begin`;

/** Of a row `q`: what is kept of a delivery. */
const kept = (q: string): string =>
  `${q}.tenant_id, ${q}.webhook_id, ${q}.channel, ${q}.attempts, ${q}.attempts_before, ${q}.position`;

/**
 * Begins deliveries to bindings that have waited for this one, of the webhook as it is now. Where there is one already,
 * nothing changes: it is seen in one of the two tables, though it may just be leaving the first. Those that gather, do;
 * one with an ordering key is let into its lane by the next look.
 */
const begun = `
  begun as (
    insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, position, attempts,
      attempts_before, is_ready, is_held, yields, ordering_key, digest_id, gathers_until, look_at)
    select w.event, b.id, w.tenant_id, w.webhook_id, b.channel,
      case when b.gathers then 'infinity' else $now end,
      case when b.gathers then ${gatheredAt}
        when e.ordering_key is not null then nextval('$.queue_position') end,
      0, 0, not b.gathers and e.ordering_key is null, not b.gathers and e.ordering_key is not null, false,
      case when not b.gathers then e.ordering_key end, case when b.gathers then '' end,
      case when b.gathers then $now + b.waits * interval '1 millisecond' end, case when b.gathers then $now end
    from written w cross join lateral (
      select c ->> 'id' as id, c ->> 'channel' as channel, (c -> 'digest' ->> 'window')::float8 as waits,
        c -> 'digest' is not null as gathers
      from $.webhooks h cross join json_array_elements(h.channels::json) c
      where h.id = w.webhook_id and c ->> 'id' in (select json_array_elements_text(w.begin))
    ) b cross join lateral (select ordering_key from $.events where id = w.event offset 0) e
    where w.begin is not null
      and not exists (select from $.queue o where o.event_id = w.event and o.binding_id = b.id)
      and not exists (select from $.deliveries d where d.event_id = w.event and d.binding_id = b.id)
    on conflict (event_id, binding_id) do nothing
  )`;

/** Ends deliveries; `isAll`: also digests with what is in them, and beginning others. */
export const endText = (isAll: boolean): string => `
  with ended as (
    delete from $.queue q using ${given} where ${isHeld}
    returning g.event, g.binding, ${prefixed('g')}, ${kept('q')},
      case when g.status <> 'delivered' then coalesce(g.memo, q.memo) end as memo
  )${
    isAll
      ? `, followed as (
    delete from $.queue q using ended e
    where q.binding_id = e.binding and q.digest_id = e.event
    returning q.event_id, e.binding, ${prefixed('e')}, ${kept('q')}, e.memo
  ), written as (
    select event, binding, ${result}, ${kept('ended')}, memo from ended where not starts_with(event, 'dig_')
    union all select event_id, binding, ${result}, ${kept('followed')}, memo from followed
  ), ${begun}`
      : ''
  }, recorded as (
    -- Where what was begun twice in one instant ends twice, it has ended.
    insert into $.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before,
      finished_at, position, attempt_id, started_at, duration_ms, outcome, kind, message, http_status, response, memo)
    select event, binding, webhook_id, channel, status, attempts, attempts_before, $now, position, id,
      to_timestamp(at / 1000), took, nullif(outcome, status), kind, message, http, response, memo
    from ${isAll ? 'written' : 'ended'}
    on conflict do nothing
  )
  select coalesce(json_agg(${isAll ? 'distinct n' : 'n'}), '[]')::text as written from ${isAll ? 'written' : 'ended'}`;

/** Puts deliveries back, due later or at once; `isAll` as for those that end. */
export const putBackText = (isAll: boolean): string => `
  with again as (
    update $.queue q set lease = null, is_ready = g.delay <= 0, due_at = $now + g.delay * interval '1 millisecond',
      yields = q.yields or g.yields, attempts = q.attempts - case when g.status = 'released' then 1 else 0 end,
      memo = coalesce(g.memo, q.memo)
    from ${given} where ${isHeld}
    returning g.*, q.due_at, ${kept('q')}
  )${
    isAll
      ? `, followed as (
    update $.queue q set lease = null, gathers_until = a.due_at,
      attempts = q.attempts - case when a.status = 'released' then 1 else 0 end
    from again a
    where q.binding_id = a.binding and q.digest_id = a.event
    returning q.event_id, a.binding, ${prefixed('a')}, ${kept('q')}
  ), written as (
    select event, binding, ${result}, ${kept('again')} from again where not starts_with(event, 'dig_')
    union all select event_id, binding, ${result}, ${kept('followed')} from followed
  ), ${begun}`
      : ''
  }, tried as (
    insert into $.attempts (event_id, binding_id, id, number, started_at, duration_ms, outcome, kind, message,
      http_status, response)
    select event, binding, id, number, to_timestamp(at / 1000), took, outcome, kind, message, http, response
    from ${isAll ? 'written' : 'again'} where id is not null
  )
  select coalesce(json_agg(${isAll ? 'distinct n' : 'n'}), '[]')::text as written from ${isAll ? 'written' : 'again'}`;

function prefixed(row: string): string {
  return result
    .split(', ')
    .map((column) => `${row}.${column}`)
    .join(', ');
}

import { type DeliveryStore, matchKeys } from '@posthorn/core/storage';
import type { Database } from '../client/database.js';
import { few } from '../client/given-rows.js';
import { parameters } from '../client/parameters.js';
import { gatheredAt } from './digests.js';
import { chainPosition } from './ordering.js';

/** One call examines up to `maxEvents` events, and stops once they have `maxPairs` pairs of an event and a binding. */
const maxEvents = 1_000;
const maxPairs = 20_000;

/**
 * Selects the missing deliveries. `$1` is the tenant, `$2` the events, `$3` each event type once with the patterns that
 * match it, and `$4` the only webhook, or null. A delivery is visible in one of the two tables, even while it moves
 * from the first to the second. Bindings with `onlyAfter` are not among those that a webhook lists for publishing.
 */
const missing = `
  given as materialized (
    select * from json_to_recordset($2::json) as g(n integer, id text, sort integer)
  ), sorts as materialized (
    select * from json_to_recordset($3::json) as s(sort integer, keys text[])
  ), matched as materialized (
    select distinct s.sort, m.webhook_id from sorts s cross join lateral (
      select u.webhook_id from $.subscriptions u
      where u.tenant_id = $1::text and u.pattern = any (s.keys) and u.webhook_id = coalesce($4::text, u.webhook_id) offset 0
    ) m where ${few('s.sort')}
  ), targets as materialized (
    select m.sort, m.webhook_id, b.binding_id, b.channel, b.gather_ms
    from matched m cross join lateral (
      select w.binding_ids, w.binding_channels, w.binding_windows from $.webhooks w
      where w.id = m.webhook_id and w.is_active offset 0
    ) w cross join lateral unnest(w.binding_ids, w.binding_channels, w.binding_windows)
      as b(binding_id, channel, gather_ms)
  ), looked as materialized (
    -- The first events, at least one.
    select * from (
      select g.*, coalesce(sum(k.targets) over (order by g.n), 0) - coalesce(k.targets, 0) as pairs_before
      from given g left join (select sort, count(*) as targets from targets group by sort) k using (sort)
    ) l where pairs_before < ${maxPairs}
  ), missing as materialized (
    select g.n, g.id, t.webhook_id, t.binding_id, t.channel, t.gather_ms from looked g join targets t using (sort)
    where (select true from $.queue q where q.event_id = g.id and q.binding_id = t.binding_id limit 1) is null
      and (select true from $.deliveries d where d.event_id = g.id and d.binding_id = t.binding_id limit 1) is null
  )`;

/**
 * Creates the missing deliveries. A repeated run creates nothing. If another call creates the same delivery at the same
 * time, one of the two waits for its primary key and creates nothing. If the delivery was delivered and left the
 * queue by then, the statement is refused, and is run again.
 */
const makeText = `
  with ${missing}, taken as materialized (
    select m.n, m.id, m.webhook_id, m.binding_id, m.channel, m.gather_ms,
      case when m.gather_ms is null then e.ordering_key end as ordering_key,
      case when m.gather_ms is not null then e.bytes end as gathered_bytes
    from (select * from missing order by n, binding_id limit $5::integer) m
    cross join lateral (
      select ordering_key, octet_length(payload) as bytes from $.events where id = m.id offset 0
    ) e
    order by m.n, m.binding_id
  ), chosen as materialized (
    select t.*, row_number() over (partition by t.binding_id, t.ordering_key order by t.n) as place from taken t
  ), made as (
    insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, position, attempts,
      attempts_before, is_ready, is_held, yields, ordering_key, digest_id, gathers_until, look_at, gathered_bytes)
    select c.id, c.binding_id, $1::text, c.webhook_id, c.channel,
      case when c.gather_ms is not null then 'infinity' else $now end,
      case when c.gather_ms is not null then ${gatheredAt} + least(c.n, 4095)
        when c.ordering_key is not null then ${chainPosition('c.binding_id', 'c.ordering_key', 'c.place')} end,
      0, 0, c.gather_ms is null and c.ordering_key is null, c.ordering_key is not null, false, c.ordering_key,
      case when c.gather_ms is not null then '' end, $now + c.gather_ms * interval '1 millisecond',
      case when c.gather_ms is not null then $now end, c.gathered_bytes
    from chosen c order by c.n, c.binding_id
    on conflict (event_id, binding_id) do nothing
    returning event_id, binding_id
  ), new as materialized (
    select count(*) as count, array_agg(event_id) as event_ids, array_agg(binding_id) as binding_ids from made
  )
  select (select (count + $.refuse_finished(event_ids, binding_ids))::text from new) as count,
    (select max(n) from looked)::integer as last_looked,
    (select id from chosen order by n desc limit 1) as last, (select count(*) from chosen)::text as chosen`;

/** Creates the deliveries of stored events that their tenant's current webhooks match and that do not exist yet. */
export function backfiller(db: Database): NonNullable<DeliveryStore['backfill']> {
  const count = db.statement(`
    with ${missing}
    select (select count(*) from missing)::text as count, (select max(n) from looked)::integer as last_looked`);
  const make = db.statement(makeText);

  return async (tenantId, selection, { limit, cursor, isDryRun = false }) => {
    const { eventType, webhookId, fromEventId = '', beforeEventId } = selection;
    const { values, as } = parameters();
    const rows = await db.run(
      db.statement(`
        select e.id, e.type from $.events e
        where e.tenant_id = ${as('text', tenantId)} and e.id >= ${as('text', cursor ?? fromEventId)}
          and e.id < ${as('text', beforeEventId)}
          ${eventType === undefined ? '' : `and e.type = ${as('text', eventType)}`}
        order by e.id limit ${as('integer', maxEvents + 1)}`),
      values,
    );
    const events = rows.slice(0, maxEvents);
    const types = [...new Set(events.map(({ type }) => type as string))];
    const given = [
      tenantId,
      JSON.stringify(events.map(({ id, type }, n) => ({ n, id, sort: types.indexOf(type) }))),
      JSON.stringify(types.map((type, sort) => ({ sort, keys: matchKeys(type) }))),
      webhookId ?? null,
    ];
    const [row] = isDryRun ? await db.run(count, given) : await db.run(make, [...given, limit]);
    const isCut = !isDryRun && Number(row!.chosen) === limit;
    const next: string | null = rows[Number(row!.last_looked ?? -1) + 1]?.id ?? null;
    return { deliveries: Number(row!.count), cursor: isCut ? row!.last : next };
  };
}

import type { NextState } from '@posthorn/core/storage';
import { rowsOf } from '../client/arrays.js';
import { few, isQueued } from '../client/given-rows.js';
import { gatheredAt, isInDigest, isMember, queueId, withMembers } from './digests.js';
import { chainPosition } from './ordering.js';

/*
 * The statement that writes results. It finds rows by their keys, never by the row locations of a snapshot: after
 * waiting for a concurrent update, it continues with the current row. Each statement locks its rows in the order of
 * their keys, so that two statements never deadlock.
 */

/** What the results of one call need. Most are of one delivery and begin no other, and save the search for more. */
export interface SettleShape {
  readonly ends: boolean;
  readonly putsBack: boolean;
  /** Whether there are digests among them, with their deliveries, or results that begin other deliveries. */
  readonly hasFollowers: boolean;
  /** Whether digests are split. */
  readonly splits: boolean;
}

/** The statuses that do not finish a delivery. */
export const goesBack: readonly NextState['status'][] = ['pending', 'released', 'split'];
const isPutBack = `g.status in ('${goesBack.join("', '")}')`;

export const isHeld: string = `${isQueued('g.event', 'g.binding')} and q.lease = g.lease`;

/** The columns of a result. Each delivery of a digest gets the same. */
const resultColumns = [
  ...['n', 'status', 'id', 'number', 'at', 'took', 'outcome', 'kind', 'message', 'http', 'response', 'begin'],
];
const result = (row: string): string => resultColumns.map((column) => `${row}.${column}`).join(', ');

/** The columns of a row `q` that are kept of a delivery. */
const kept = (q: string, attempts = `${q}.attempts`): string =>
  `${q}.tenant_id, ${q}.webhook_id, ${q}.channel, ${attempts}, ${q}.attempts_before, ${q}.position`;

/** The attempts of a row `q`. Where nothing was sent, the attempt that has begun under this lease is not counted. */
const counted = (row: string): string =>
  `q.attempts - case when ${row}.id is null and q.begun_at is not null then 1 else 0 end`;

/** All rows that `first` wrote, with the deliveries that it wrote in place of each digest. */
const withFollowers = (first: string, followed: string, more = ''): string => `(
    select event, binding, ${result(first)}, ${kept(first)}${more} from ${first} where not starts_with(event, 'dig_')
    union all select event_id, binding, ${result(followed)}, ${kept(followed)}${more} from ${followed}
  )`;

/**
 * Begins deliveries to bindings that waited for one in `rows`, of the current webhook. Where the delivery exists
 * already, nothing changes: it is found in one of the two tables, even while it is moving from the first to the second.
 * A delivery that was created and finished after the statement took its snapshot, as of a binding that no longer waits,
 * aborts the statement, which is then run again. Deliveries that gather do so; one with an ordering key is let into its
 * lane by the next look.
 */
const begun = (rows: string): string => `
    insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, position, attempts,
      attempts_before, is_ready, is_held, yields, ordering_key, digest_id, gathers_until, look_at,
      gathered_bytes)
    select w.event, b.id, w.tenant_id, w.webhook_id, b.channel,
      case when b.gathers then 'infinity' else $now end,
      case when b.gathers then ${gatheredAt}
        when e.ordering_key is not null then ${chainPosition('b.id', 'e.ordering_key', '1')} end,
      0, 0, not b.gathers and e.ordering_key is null, not b.gathers and e.ordering_key is not null, false,
      case when not b.gathers then e.ordering_key end, case when b.gathers then '' end,
      case when b.gathers then $now + b.waits * interval '1 millisecond' end, case when b.gathers then $now end,
      case when b.gathers then e.bytes end
    from (${rows}) w cross join lateral (
      select c ->> 'id' as id, c ->> 'channel' as channel, (c -> 'digest' ->> 'window')::float8 as waits,
        c -> 'digest' is not null as gathers
      from $.webhooks h cross join json_array_elements($.json_array_in(h.channels)) c
      where h.id = w.webhook_id and c ->> 'id' in (select json_array_elements_text(w.begin))
        and ${few("length(c ->> 'id')")}
      offset 0
    ) b cross join lateral (
      select ordering_key, octet_length(payload) as bytes from $.events where id = w.event offset 0
    ) e
    where w.begin is not null
      and (select true from $.queue o where o.event_id = w.event and o.binding_id = b.id limit 1) is null
      and (select true from $.deliveries d where d.event_id = w.event and d.binding_id = b.id limit 1) is null
    on conflict (event_id, binding_id) do nothing
    returning event_id, binding_id`;

/** Makes digests of the latter halves of split digests, with the deliveries from the split position on. */
const halved = `latter as materialized (
    select a.event, a.binding, h.event_id, h.position, ${queueId('h.event_id')} as id
    from again a cross join lateral (
      select m.event_id, m.position from $.queue m where ${isInDigest('m', 'a.binding', 'a.event')}
      order by m.position, m.event_id offset (
        select (count(*) + 1) / 2 from $.queue c where ${isInDigest('c', 'a.binding', 'a.event')}) limit 1
    ) h where a.status = 'split'
  ), halved as (
    insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, attempts, attempts_before,
      is_ready, is_held, yields, memo)
    select l.id, a.binding, a.tenant_id, a.webhook_id, a.channel, a.due_at, a.attempts, a.attempts,
      true, false, false, a.left_memo
    from latter l join again a using (event, binding)
  ), again_halved as materialized (
    select a.*, l.id as half, l.position as half_position, l.event_id as half_event
    from again a left join latter l using (event, binding)
  )`;
const digestOfHalf = `case when (q.position, q.event_id) >= (a.half_position, a.half_event) then a.half else q.digest_id end`;

const given = `given as (
    select * from json_to_recordset($1::json) as g(
      n integer, event text, binding text, lease bigint, status text, delay float8, yields boolean,
      uncounted smallint, id text,
      number integer, at float8, took integer, outcome text, kind text, message text, http smallint, response text,
      memo text, put_off text, begin json)
  )`;

/**
 * Where some results finish deliveries and others do not, both would lock their rows, one after the other. So all rows
 * are locked first, in one order.
 */
const held = `held as materialized (
    select g.* from given g join $.queue q on ${isHeld} for update of q
  )`;

/** Parts of a statement, and the name of the rows that they have written. */
interface Written {
  readonly parts: readonly string[];
  readonly rows: string;
}

/** Moves finished deliveries out of the queue. Returns the name of all of them. */
function ended({ putsBack, hasFollowers }: SettleShape): Written {
  const alone = putsBack ? `not ${isPutBack} and ` : '';
  const rows = hasFollowers ? 'finished' : 'ended';
  const parts = [
    `ended as (
    delete from $.queue q using ${putsBack ? 'held' : 'given'} g where ${alone}${isHeld}
    returning g.event, g.binding, ${result('g')}, ${kept('q', `${counted('g')} as attempts`)},
      case when g.status <> 'delivered' then coalesce(g.memo, q.memo) end as memo
  )`,
  ];
  if (hasFollowers) {
    parts.push(`ended_members as ${withMembers('ended e', 'e.binding', 'e.event')}`);
    parts.push(`ended_with as (
    delete from $.queue q using ended_members e where ${isMember('e')}
    returning q.event_id, e.binding, ${result('e')}, ${kept('q', `${counted('e')} as attempts`)}, e.memo
  )`);
    parts.push(`finished as ${withFollowers('ended', 'ended_with', ', memo')}`);
  }
  parts.push(`kept as (
    -- A delivery that was begun twice at the same time may finish twice: the first result counts.
    insert into $.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before,
      finished_at, position, attempt_id, started_at, duration_ms, outcome, kind, message, http_status, response, memo)
    select event, binding, webhook_id, channel, status, attempts, attempts_before, $now, position, id,
      to_timestamp(at / 1000), took, nullif(outcome, status), kind, message, http, response, memo
    from ${rows}
    on conflict do nothing
  )`);
  return { parts, rows };
}

/** Makes unfinished deliveries due again. Returns the name of all of them. */
function putBack({ ends, hasFollowers, splits }: SettleShape): Written {
  const alone = ends ? `${isPutBack} and ` : '';
  const rows = hasFollowers ? 'returned' : 'again';
  const parts = [
    `again as (
    update $.queue q set lease = null, is_ready = g.delay <= 0, due_at = $now + g.delay * interval '1 millisecond',
      yields = q.yields or g.yields, memo = coalesce(g.memo, q.memo), attempts = ${counted('g')}, begun_at = null,
      lost_at = case when g.status = 'released' then q.lost_at end,
      put_off_since = case g.put_off when 'begins' then coalesce(q.put_off_since, $now) when 'stays' then q.put_off_since end,
      attempts_before = case when g.status = 'split' then q.attempts else q.attempts_before end,
      uncounted = case when g.status <> 'split' then coalesce(q.uncounted + g.uncounted, q.uncounted, g.uncounted) end
    from ${ends ? 'held' : 'given'} g where ${alone}${isHeld}
    returning g.event, g.binding, ${result('g')}, q.due_at, q.memo as left_memo, ${kept('q')}
  )`,
  ];
  if (splits) parts.push(halved);
  if (hasFollowers) {
    parts.push(
      `again_members as ${withMembers(splits ? 'again_halved a' : 'again a', 'a.binding', 'a.event')}`,
    );
    parts.push(`again_with as (
    update $.queue q set lease = null, gathers_until = a.due_at,${splits ? ` digest_id = ${digestOfHalf},` : ''}
      attempts = ${counted('a')}, begun_at = null,
      attempts_before = case when a.status = 'split' then q.attempts else q.attempts_before end
    from again_members a where ${isMember('a')}
    returning q.event_id, a.binding, ${result('a')}, ${kept('q')}
  )`);
    parts.push(`returned as ${withFollowers('again', 'again_with')}`);
  }
  parts.push(`tried as (
    insert into $.attempts (event_id, binding_id, id, number, started_at, duration_ms, outcome, kind, message,
      http_status, response)
    select event, binding, id, number, to_timestamp(at / 1000), took, outcome, kind, message, http, response
    from ${rows} where id is not null
  )`);
  return { parts, rows };
}

/** Writes all results of a call, or none: those of `$1` whose lease is still valid. */
export function settleText(shape: SettleShape): string {
  const { ends, putsBack, hasFollowers } = shape;
  const written = [...(ends ? [ended(shape)] : []), ...(putsBack ? [putBack(shape)] : [])];
  const parts = [given, ...(ends && putsBack ? [held] : []), ...written.flatMap((each) => each.parts)];
  const all = (columns: string): string =>
    written.map(({ rows }) => `select ${columns} from ${rows}`).join(' union all ');
  if (hasFollowers) {
    parts.push(`begun as (${begun(all('event, tenant_id, webhook_id, begin'))}
  ), new as materialized (
    select array_agg(event_id) as event_ids, array_agg(binding_id) as binding_ids from begun
  )`);
    const refused = '(select $.refuse_finished(event_ids, binding_ids) from new where event_ids is not null)';
    return `
  with ${parts.join(', ')}
  select case when coalesce(${refused}, 0) = 0 then coalesce(json_agg(distinct n), '[]')::text end as written
  from (${all('n')}) w`;
  }
  return `
  with ${parts.join(', ')}
  select coalesce(json_agg(n), '[]')::text as written from (${all('n')}) w`;
}

/** The columns of results that delivered, with their attempt. */
const plainTypes = {
  ...{ event: 'text', binding: 'text', lease: 'bigint', id: 'text', at: 'float8', took: 'integer' },
  ...{ http: 'smallint', response: 'text' },
};
export const plainColumns = Object.keys(plainTypes) as readonly (keyof typeof plainTypes)[];

/** Does the same as `settleText` for finished deliveries, with arrays as parameters. */
export const plainText: string = `
  with ended as (
    delete from $.queue q using ${rowsOf('g', plainTypes)} where ${isHeld}
    returning g.*, ${kept('q')}
  ), kept as (
    insert into $.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before,
      finished_at, position, attempt_id, started_at, duration_ms, http_status, response)
    select event, binding, webhook_id, channel, 'delivered', attempts, attempts_before, $now, position, id,
      to_timestamp(at / 1000), took, http, response
    from ended
    on conflict do nothing
  )
  select case when count(*) = cardinality($1::text[]) then 'null' else coalesce(json_agg(n), '[]')::text end as written
  from ended`;

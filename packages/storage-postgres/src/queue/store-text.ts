import { few } from '../client/given-rows.js';
import { beginning, msOf } from '../client/values.js';
import { gatheredAt } from './digests.js';
import { chainPosition, hasHead, isInFlight } from './ordering.js';
import { areWaiting } from './rooms.js';
import { stampOf, versionOf } from './webhook-cache.js';

/* The text of the statement that publishes, from its parts in order. */

/** The parts of a call that decide its statement. */
export interface Shape {
  readonly hasClaims: boolean;
  /**
   * Whether the attempts of leased deliveries begin at once, and whether tenants have limits that could be exceeded.
   */
  readonly isBegun: boolean;
  readonly hasTenantRooms: boolean;
  readonly isKeyed: boolean;
  /** Whether it waits for keys of open transactions only as long as its last value allows, in milliseconds. */
  readonly isBrief: boolean;
  readonly isOrdered: boolean;
  /** Whether it is part of the caller's transaction, which commits at an unknown time. */
  readonly isInTransaction: boolean;
  /** Whether the answer has what may be cached: all targets, and the versions of their tenants' webhooks. */
  readonly tellsVersions: boolean;
}

/** The given events, the bindings that match, and the events that are not stored yet. */
const matched = `given as materialized (
      select * from json_to_recordset($1::json) as g(
        n integer, id text, sort integer, start integer, length integer, at float8, namespace text,
        "subjectType" text, "subjectId" text, scope text, ordering text, key text, fingerprint text)
    ), sorts as materialized (
      select * from json_to_recordset($2::json) as s(sort integer, tenant text, type text, keys text[])
    ), matched as materialized (
      select distinct s.sort, s.tenant, m.webhook_id
      from sorts s cross join lateral (
        select u.webhook_id from $.subscriptions u where u.tenant_id = s.tenant and u.pattern = any (s.keys) offset 0
      ) m where ${few('s.sort')}
    ), targets as materialized (
      select row_number() over () - 1 as t, m.sort, m.tenant, m.webhook_id, w.stamp, b.binding_id, b.channel, b.gather_ms
      from matched m cross join lateral (
        select ${stampOf('w')} as stamp, w.binding_ids, w.binding_channels, w.binding_windows from $.webhooks w
        where w.id = m.webhook_id and w.is_active offset 0
      ) w cross join lateral unnest(w.binding_ids, w.binding_channels, w.binding_windows)
        as b(binding_id, channel, gather_ms)
    ), kinds as materialized (
      select s.*, (select count(*) from targets t where t.sort = s.sort)::integer as deliveries from sorts s
    ), fresh as materialized (
      -- If another call stores it at the same time, the insert fails, and the whole statement is retried.
      select * from given g where (select true from $.events e where e.id = g.id limit 1) is null
    )`;

/** The time limit for keys of open transactions. */
const patience = ({ hasClaims, hasTenantRooms }: Shape): string => `, patience as materialized (
      -- For this statement only, and in effect before the first key is inserted.
      select set_config('lock_timeout', ${hasTenantRooms ? '$10' : hasClaims ? '$9' : '$4'}::text, true)
    )`;

/** Inserts idempotency keys. A key that is taken refuses the call at the end. */
const keyed = ({ isBrief }: Shape): string => `, keyed as (
      insert into $.idempotency_keys as k (tenant_id, key, fingerprint, event_id, deliveries, remembered_at)
      select s.tenant, f.key, f.fingerprint, f.id, s.deliveries, $now
      from fresh f join kinds s using (sort)${isBrief ? ' cross join patience' : ''} where f.key is not null
      order by s.tenant, f.key
      on conflict (tenant_id, key) do update
        set fingerprint = excluded.fingerprint, event_id = excluded.event_id,
          deliveries = excluded.deliveries, remembered_at = excluded.remembered_at
        where k.remembered_at < $now - interval '24 hours'
      returning key
    )`;

/** Stores the events. */
const stored = `, stored as (
      insert into $.events (id, tenant_id, type, payload, occurred_at, published_at, deliveries,
        namespace_id, subject_type, subject_id, cache_scope, ordering_key)
      select f.id, k.tenant, k.type, convert_from(substring($3::bytea from f.start for f.length), 'UTF8'),
        to_timestamp(f.at / 1000), $now, k.deliveries,
        f.namespace, f."subjectType", f."subjectId", f.scope, f.ordering
      from fresh f join kinds k using (sort)
    )`;

/** How many more deliveries each webhook and each tenant may have in flight. */
const rooms = ({ hasTenantRooms }: Shape): string => `, rooms as materialized (
      select w.webhook_id, case when ${areWaiting('w.tenant', 'w.webhook_id')} then 0 else coalesce(f.room, $7::integer) end as room${hasTenantRooms ? ', t.room as tenant_room' : ''}
      from (select distinct tenant, webhook_id from targets) w
      left join json_to_recordset($8::json) as f(webhook text, room integer) on f.webhook = w.webhook_id${
        hasTenantRooms
          ? `
      join json_to_recordset($9::json) as t(tenant text, room integer) on t.tenant = w.tenant`
          : ''
      }
    )`;

/** Each delivery, whether it has to wait for its turn, and whether it is leased. */
const placed = ({ hasClaims, hasTenantRooms, isOrdered }: Shape): string => `, placed as materialized (
      select p.*, ${
        hasClaims
          ? `p.may_go and row_number() over (order by p.n, p.t) <= $6::integer
          and row_number() over (partition by p.webhook_id order by p.n, p.t) <= r.room${
            hasTenantRooms
              ? `
          and row_number() over (partition by p.tenant order by p.n, p.t) <= r.tenant_room`
              : ''
          }`
          : 'false'
      } as is_leased
      from (
        select c.*, c.gather_ms is null and not c.is_held${
          isOrdered ? ` and (c.ordering is null or not ${isInFlight('c.binding_id', 'c.ordering')})` : ''
        } as may_go
        from (
          select f.n, f.id, case when t.gather_ms is null then f.ordering end as ordering, t.t, t.tenant, t.webhook_id,
            t.binding_id, t.channel, t.gather_ms, f.length,
            ${
              isOrdered
                ? `f.ordering is not null and t.gather_ms is null and (
              row_number() over (partition by t.binding_id, f.ordering order by f.n) > 1
              or ${hasHead('t.binding_id', 'f.ordering')}) as is_held,
            row_number() over (partition by t.binding_id, f.ordering order by f.n) as place`
                : 'false as is_held'
            }
          from fresh f join targets t using (sort)
        ) c
      ) p${hasClaims ? ' join rooms r using (webhook_id)' : ''}
    )`;

/** Inserts each delivery into the queue. */
const queued = ({ hasClaims, isBegun, isOrdered, isInTransaction }: Shape): string => {
  // There is no call when the caller's transaction commits, so the next look after that lets the delivery in.
  const heldFor = `interval '${isInTransaction ? 0 : 5} seconds'`;
  return `, queued as (
      insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, lease, position,
        attempts, attempts_before, is_ready, is_held, yields, ordering_key, digest_id, gathers_until, look_at,
        gathered_bytes, begun_at)
      select p.id, p.binding_id, p.tenant, p.webhook_id, p.channel,
        case ${hasClaims ? `when p.is_leased then $now + $5::float8 * interval '1 millisecond'` : ''}
          when p.is_held then $now + ${heldFor} when p.gather_ms is not null then 'infinity' else $now end,
        ${hasClaims ? 'case when p.is_leased then $4::bigint end' : 'null'},
        case when p.gather_ms is not null then ${gatheredAt} + least(p.n, 4095)${
          isOrdered
            ? ` when p.ordering is not null then ${chainPosition('p.binding_id', 'p.ordering', 'p.place')}`
            : ''
        } end,
        ${isBegun ? 'case when p.is_leased then 1 else 0 end' : '0'}, 0, not (p.is_leased or p.is_held or p.gather_ms is not null),
        p.is_held, false, p.ordering, case when p.gather_ms is not null then '' end,
        $now + p.gather_ms * interval '1 millisecond', case when p.gather_ms is not null then $now end,
        case when p.gather_ms is not null then p.length end,
        ${isBegun ? `case when p.is_leased then ${beginning} end` : 'null'}
      from placed p${isOrdered ? ' order by p.n, p.t' : ''}
    )
`;
};

/** The answer to the caller. */
const answer = ({ isKeyed, isOrdered, tellsVersions }: Shape): string => `    select json_build_object(
      'at', ${msOf(beginning)}, 'earlier', case when (select count(*) from fresh) < (select count(*) from given)
        then (select json_agg(n) from given where n <> all (array(select n from fresh))) end,
      'targets', (select coalesce(json_agg(json_build_array(sort, webhook_id, stamp, binding_id${
        tellsVersions ? ', channel, gather_ms' : ''
      }) order by t), '[]') from targets),${
        tellsVersions
          ? `
      'versions', (select json_agg(json_build_array(s.tenant, ${versionOf('s.tenant')}))
        from (select distinct tenant from sorts where ${few('sort')}) s),`
          : ''
      }
      'placed', p.placed, 'leased', p.leased,${
        isOrdered ? " 'held', (select json_agg(json_build_array(n, t)) from placed where is_held)," : ''
      }
      'waiting', case when p.leased between 1 and p.placed - 1
        then (select json_agg(json_build_array(n, t)) from placed where not is_leased) end
    )::text as answer${
      isKeyed
        ? `,
      case when (select count(*) from keyed) < (select count(*) from fresh where key is not null)
        then $.refuse() end`
        : ''
    }
    from (select count(*) as placed, count(*) filter (where is_leased) as leased from placed) p`;

/**
 * Creates one statement that matches, stores events and deliveries, and leases what the caller has room for. `$1` has
 * the events, `$2` each pair of tenant and type once with the patterns that match it, `$3` all payloads in one piece.
 */
export function storeText(shape: Shape): string {
  const { hasClaims, isKeyed, isBrief } = shape;
  const parts = [
    matched,
    isBrief ? patience(shape) : '',
    isKeyed ? keyed(shape) : '',
    stored,
    hasClaims ? rooms(shape) : '',
    placed(shape),
    queued(shape),
  ];
  return `
    with ${parts.join('')}${answer(shape)}`;
}

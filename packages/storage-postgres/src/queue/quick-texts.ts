import { few } from '../client/given-rows.js';
import { beginning, msOf } from '../client/values.js';
import { areWaiting } from './rooms.js';
import { versionOf } from './webhook-cache.js';

/*
 * The statements that publish batches of the common shape. They are cheap because they match no webhooks and take
 * arrays instead of JSON. The arrays are in a materialized row, where the planner does not see their lengths. Otherwise
 * it would prefer a plan for these very arrays to a generic one, and plan each call, which takes longer than running
 * it.
 */

/** The parts of a call that decide its statement. */
export interface QuickShape {
  /** Whether any delivery is to be leased. */
  readonly hasClaims: boolean;
  /** Whether the attempts of leased deliveries begin at once. */
  readonly isBegun: boolean;
  /** Whether any event has more than an id, a type, a payload and a time. */
  readonly hasDetails: boolean;
}

/** The columns of a new row of the queue from its lease on. */
const leaseColumns = 'due_at, lease, attempts, attempts_before, is_ready, is_held, yields, begun_at';

/** Their values. `isLeased` is the SQL of whether the row is leased. */
const leaseValues = ({ hasClaims, isBegun }: QuickShape, isLeased: string, ms: string, lease: string) =>
  hasClaims
    ? `case when ${isLeased} then $now + ${ms}::float8 * interval '1 millisecond' else $now end,
        case when ${isLeased} then ${lease}::bigint end, ${isBegun ? `case when ${isLeased} then 1 else 0 end` : '0'}, 0,
        not ${isLeased}, false, false, ${isBegun ? `case when ${isLeased} then ${beginning} end` : 'null'}`
    : '$now, null, 0, 0, true, false, false, null';

const detailColumns = 'namespace_id, subject_type, subject_id, cache_scope';

/**
 * Stores any number of events. Its parameters:
 *
 * - `$1` to `$5`: the events' ids, payloads in one piece, where each payload begins and the last one ends, times, and
 *   kinds.
 * - `$6` to `$8`: the kinds' tenants, types and numbers of targets.
 * - `$9` and `$10`: the deliveries' events, where they differ from `$1`, and their targets.
 * - `$11` to `$14`: the targets' tenants, webhooks, bindings and channels.
 * - `$15` and `$16`: tenants and the versions of their webhooks. Where one differs, nothing is stored and no row is
 *   returned.
 * - With claims, `$17` is which deliveries to lease, `$18` for how long, `$19` the lease, and `$20` and `$21` name
 *   their webhooks. `waiting` returns those webhooks whose deliveries were not leased after all.
 * - The details come last.
 */
export function quickText(shape: QuickShape): string {
  const { hasClaims, hasDetails } = shape;
  const detail = (n: number): string => `$${(hasClaims ? 22 : 17) + n}::text::text[]`;
  return `
    with g as materialized (
      select a.*${
        hasClaims
          ? `, array(
        select w.webhook from (
          select * from unnest(a.lane_tenants, a.lane_webhooks) as w(tenant, webhook)
          where ${few('length(w.webhook)')} offset 0
        ) w where ${areWaiting('w.tenant', 'w.webhook')}) as waiting`
          : ''
      }
      from (
        select $1::text::text[] as ids, $3::text::integer[] as starts, $4::text::float8[] as times,
          $5::text::integer[] as kinds, $6::text::text[] as tenants, $7::text::text[] as types,
          $8::text::integer[] as counts, coalesce($9::text, $1::text)::text[] as events, $10::text::integer[] as targets,
          $11::text::text[] as owners, $12::text::text[] as webhooks, $13::text::text[] as bindings,
          $14::text::text[] as channels, $15::text::text[] as checked, $16::text::text[] as versions${
            hasClaims
              ? `,
          $17::text::boolean[] as leases, $20::text::text[] as lane_tenants, $21::text::text[] as lane_webhooks`
              : ''
          }${
            hasDetails
              ? `,
          ${detail(0)} as namespaces, ${detail(1)} as subject_types, ${detail(2)} as subject_ids, ${detail(3)} as scopes`
              : ''
          } offset 0
      ) a
      where (select bool_and(${versionOf('c.tenant')} = c.version) from (
        select * from unnest(a.checked, a.versions) as c(tenant, version) where ${few('length(c.tenant)')} offset 0) c)
    ), stored as (
      insert into $.events (id, tenant_id, type, payload, occurred_at, published_at, deliveries${
        hasDetails ? `, ${detailColumns}` : ''
      })
      select e.id, g.tenants[g.kinds[e.n]], g.types[g.kinds[e.n]],
        convert_from(substring($2::bytea from g.starts[e.n] for g.starts[e.n + 1] - g.starts[e.n]), 'UTF8'),
        to_timestamp(g.times[e.n] / 1000), $now, g.counts[g.kinds[e.n]]${
          hasDetails ? `, ${detailColumns.replaceAll(/\w+/g, 'e.$&')}` : ''
        }
      from g cross join unnest(g.ids${hasDetails ? ', g.namespaces, g.subject_types, g.subject_ids, g.scopes' : ''})
        with ordinality as e(id${hasDetails ? `, ${detailColumns}` : ''}, n)
    ), queued as (
      insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, ${leaseColumns})
      select d.event, g.bindings[d.target], g.owners[d.target], g.webhooks[d.target], g.channels[d.target],
        ${leaseValues(shape, 'd.is_leased', '$18', '$19')}
      from g cross join lateral (
        select u.event, g.targets[u.n] as target${
          hasClaims
            ? `,
          g.leases[u.n] and g.webhooks[g.targets[u.n]] <> all (g.waiting) as is_leased`
            : ''
        }
        from unnest(g.events) with ordinality as u(event, n) offset 0
      ) d
    )
    select ${msOf(beginning)} as at${hasClaims ? ', to_json(waiting)::text as waiting' : ''} from g`;
}

/**
 * Stores one event for one target, which is the case of an idle engine. It takes scalars, which cost 50 µs less than
 * arrays of one element. Its parameters:
 *
 * - `$1` to `$8`: the event's id, payload, time, namespace, subject and scope, and its tenant.
 * - `$9`: its type.
 * - `$10` to `$12`: webhook, binding and channel.
 * - `$13`: the version.
 * - `$14` and `$15`: how long to lease it, and the lease.
 */
export function quickTextOfOne(shape: QuickShape): string {
  const { hasClaims } = shape;
  return `
    with g as materialized (
      select ${hasClaims ? `not ${areWaiting('$8::text', '$10::text')}` : 'false'} as is_leased
      where ${versionOf('$8::text')} = $13::text
    ), stored as (
      insert into $.events (id, tenant_id, type, payload, occurred_at, published_at, deliveries, ${detailColumns})
      select $1::text, $8::text, $9::text, $2::text, to_timestamp($3::float8 / 1000), $now, 1,
        $4::text, $5::text, $6::text, $7::text from g
    )
    insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, ${leaseColumns})
    select $1::text, $11::text, $8::text, $10::text, $12::text, ${leaseValues(shape, 'g.is_leased', '$14', '$15')} from g
    returning ${msOf(beginning)} as at, (lease is not null)::integer as leased`;
}

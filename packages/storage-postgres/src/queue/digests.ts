import { defaultDigestBytes } from '@posthorn/core/storage';
import type { Database, Statement } from '../client/database.js';
import { eventColumns, eventOf } from '../client/event-rows.js';
import { batchFromFirst, few, isOfRow, isQueued, named } from '../client/given-rows.js';
import { beginning } from '../client/values.js';
import type { ReadyWebhook } from './ready-webhooks.js';

/*
 * Deliveries that gather are in the queue without an alarm and without a lane. A process looks at them when one is
 * added, when the window of one ends, and when their webhook has changed. Once there are enough, or their window has
 * ended by the current options of the webhook, they become a digest:
 *
 * - a row of its own in the queue, due at once, whose name each of its deliveries has from then on;
 * - this row is claimed, waits and has the memo;
 * - its claim has all of its deliveries, and a cancelled delivery simply leaves it.
 */

/** The position of a gathering delivery: by the time, and within one statement by a number that is added. */
export const gatheredAt = '(extract(epoch from $now) * 1000000)::bigint * 4096';

/** The time since when `row` gathers, which is part of its position. */
const gathersSince = (row: string): string => `to_timestamp(${row}.position / 4096 / 1e6)`;

/**
 * The condition that `q` gathers, in a form that matches no index: along an index, each row would step over all that
 * gather.
 */
export const gathersStill = "coalesce(q.digest_id, '-') = ''";

/** The condition that `row` is in this digest of the binding, or gathers where the digest is empty. */
export const isInDigest = (row: string, binding: string, digest: string): string =>
  `${named(`${row}.binding_id`, 'd', `${row}.digest_id`)} = ${named(binding, 'd', digest)}`;

/**
 * The common table expression of `rows`, each with each delivery of its digest, or with each that still gathers. They
 * are found before their rows are joined. In a join, the planner could begin with the whole queue.
 */
export const withMembers = (rows: string, binding: string, digest: string): string => `materialized (
    select * from ${rows} cross join lateral (
      select o.event_id as member_event, o.binding_id as member_binding, o.digest_id as member_digest from $.queue o
      where ${isInDigest('o', binding, digest)} offset 0
    ) m where ${few(`length(${binding})`)}
  )`;

/** The condition that `q` is the delivery of `row`, one of those rows, and has not left since. */
export const isMember = (row: string): string =>
  `${isQueued(`${row}.member_event`, `${row}.member_binding`)} and coalesce(q.digest_id, '-') = ${row}.member_digest`;

/**
 * The limits of one call: deliveries that it reads at a time, digests that it forms of a binding at a time, and
 * repetitions.
 */
const maxDue = 1_000;
const maxDigests = 20;
const maxRounds = 20;

/** The name in the queue of the digest with this first event; and the tests whether a row of the queue is a digest. */
export const queueId = (eventId: string): string => `'dig_' || substr(${eventId}, 5)`;
export const isDigest = (eventId: string): boolean => eventId.startsWith('dig_');
export const isDelivery = (row: string): string => `not starts_with(${row}.event_id, 'dig_')`;

/** A digest that was just claimed. */
export interface ClaimedDigest {
  /** Its name in the queue. */
  readonly id: string;
  readonly bindingId: string;
  /** The number of its attempts, and whether the last one has begun with the claim. */
  readonly attempts: number;
  readonly hasBegun: boolean;
}

type GatheredEvent = ReturnType<typeof eventOf>;

export class Digests {
  readonly #db: Database;
  readonly #form: Statement;
  readonly #follow: Statement;

  constructor(db: Database) {
    this.#db = db;
    this.#form = db.statement(formText);
    this.#follow = db.statement(
      `with given as ${withMembers(
        'json_to_recordset($1::json) as g(digest text, binding text, new_attempts integer, begun boolean)',
        'g.binding',
        'g.digest',
      )}, following as (
        update $.queue q set lease = $2::bigint, begun_at = case when g.begun then ${beginning} end,
          attempts = g.new_attempts
        from given g where ${isMember('g')}
        returning q.event_id, q.digest_id, q.position
      )
      select f.digest_id, ${eventColumns}
      from following f cross join lateral (select * from $.events where id = f.event_id offset 0) e
      order by f.position, f.event_id`,
      { isRepeatable: false },
    );
  }

  /**
   * Forms digests of what is to be sent, and releases what is to be sent alone. Returns the lanes that they are in, and
   * the deleted webhooks of deliveries that were committed later.
   */
  async form(): Promise<{ readonly lanes: readonly ReadyWebhook[]; readonly gone: ReadonlySet<string> }> {
    const lanes: ReadyWebhook[] = [];
    const gone = new Set<string>();
    for (let rounds = 0; rounds < maxRounds; rounds++) {
      const [row] = await this.#db.run(this.#form, []);
      const formed: [string, string][] = JSON.parse(row!.lanes);
      lanes.push(...formed.map(([tenantId, webhookId]) => ({ tenantId, webhookId })));
      for (const webhookId of JSON.parse(row!.gone)) gone.add(webhookId);
      // Deliveries that are due and were not formed here belong to another process, which is about to form them.
      if (Number(row!.due) === 0 || (formed.length === 0 && Number(row!.due) < maxDue)) break;
    }
    return { lanes, gone };
  }

  /**
   * Leases the deliveries of these digests with them, and returns the events of each digest, by its id. The deliveries
   * have the digest's attempts from now on, even where an attempt had begun and its worker died before this.
   */
  async follow(
    digests: readonly ClaimedDigest[],
    lease: number,
  ): Promise<ReadonlyMap<string, readonly GatheredEvent[]>> {
    if (digests.length === 0) return new Map();
    const given = digests.map(({ id, bindingId, attempts, hasBegun }) => ({
      digest: id,
      binding: bindingId,
      new_attempts: attempts,
      begun: hasBegun,
    }));
    const events = new Map<string, GatheredEvent[]>();
    for (const row of await this.#db.run(this.#follow, [JSON.stringify(given), lease])) {
      const known = events.get(row.digest_id);
      if (known) known.push(eventOf(row));
      else events.set(row.digest_id, [eventOf(row)]);
    }
    return events;
  }
}

const formText = `
  with due as materialized (
    select q.event_id, q.binding_id, q.webhook_id, ${gathersSince('q')} as since,
      (select w.is_active from $.webhooks w where w.id = q.webhook_id) as is_active
    from $.queue q ${batchFromFirst} where ${gathersStill} and q.look_at <= $now
    order by q.look_at limit ${maxDue}
  ), paused as (
    -- Deferred, so that others are looked at. Activating the webhook looks at these again.
    update $.queue q set look_at = $now + interval '1 minute' from due d
    where d.is_active is not true and ${isOfRow('d')}
  ), mine as materialized (
    -- One process at a time forms the digests of a webhook; others skip it meanwhile. The current options of its
    -- bindings apply, not those at the publication. They are null for bindings without a digest, and for unreadable
    -- ones: gathered deliveries are then sent alone, and an unreadable webhook is reported.
    select b.binding_id, b.since, d.waits, d.most, d.max_bytes
    from (
      select binding_id, webhook_id, min(since) as since from due where is_active group by binding_id, webhook_id
    ) b cross join lateral (
      select channels from $.webhooks where id = b.webhook_id for update skip locked
    ) w left join lateral (
      select (c -> 'digest' ->> 'window')::float8 * interval '1 millisecond' as waits,
        (c -> 'digest' ->> 'maxEvents')::integer as most,
        coalesce((c -> 'digest' ->> 'maxBytes')::integer, ${defaultDigestBytes}) as max_bytes
      from json_array_elements($.json_array_in(w.channels)) c where c ->> 'id' = b.binding_id
    ) d on true where ${few('length(b.binding_id)')}
  ), single as materialized (
    select d.event_id, d.binding_id, d.since from due d join mine m using (binding_id) where m.waits is null
  ), alone as (
    -- They are due since they were gathered, so that nothing published from now on goes before them. Deliveries that
    -- were published in one statement have the same time, and their order in the last digits of the position.
    update $.queue q set digest_id = null, gathers_until = null, look_at = null, is_ready = true,
      due_at = l.since + (q.position & 4095) * interval '1 microsecond'
    from single l
    where ${isOfRow('l')} and ${gathersStill}
    returning q.tenant_id, q.webhook_id
  ), ripe as materialized (
    select m.* from mine m where m.since + m.waits <= $now or (
      select count(*) = m.most or sum(f.gathered_bytes) >= m.max_bytes from (
        select f.gathered_bytes from $.queue f where ${isInDigest('f', 'm.binding_id', "''")}
        order by f.position limit m.most) f)
  ), gathered as materialized (
    -- Locks the current rows, not those of the snapshot: another process may have formed or cancelled some of them.
    select r.most, r.max_bytes, g.*, g.since + r.waits <= $now as is_over,
      ($.digest_of(coalesce(g.gathered_bytes, 0), r.most, r.max_bytes) over of_binding)[1] as part
    from ripe r cross join lateral (
      select f.event_id, f.binding_id, f.tenant_id, f.webhook_id, f.channel, f.position, f.gathered_bytes,
        ${gathersSince('f')} as since
      from $.queue f
      where ${isInDigest('f', 'r.binding_id', "''")}
      order by f.position, f.event_id limit ${maxDigests} * r.most for update of f skip locked
    ) g
    window of_binding as (partition by g.binding_id order by g.position, g.event_id)
  ), parts as materialized (
    select * from (
      select binding_id, part, tenant_id, webhook_id, channel,
        ${queueId('(array_agg(event_id order by position, event_id))[1]')} as id,
        -- The window is over, the digest is full, or the next delivery does not fit in.
        bool_or(is_over) or count(*) = most or sum(gathered_bytes) >= max_bytes
          or part < max(part) over (partition by binding_id) as goes
      from gathered group by binding_id, part, tenant_id, webhook_id, channel, most, max_bytes
    ) p where p.goes
  ), formed as (
    insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, attempts, attempts_before,
      is_ready, is_held, yields)
    select id, binding_id, tenant_id, webhook_id, channel, $now, 0, 0, true, false, false from parts
  ), going as materialized (
    select g.event_id, g.binding_id, p.id from gathered g join parts p using (binding_id, part)
  ), moved as materialized (
    -- Those that are sent, which are locked, and those that keep gathering, for which only the next look is set.
    select event_id, binding_id, id, null as until from going
    union all
    select d.event_id, d.binding_id, null, d.since + m.waits from due d join mine m using (binding_id)
    where d.since + m.waits > $now and (d.event_id, d.binding_id) not in (select event_id, binding_id from going)
  ), looked as (
    update $.queue q set digest_id = coalesce(l.id, q.digest_id), gathers_until = coalesce(l.until, $now), look_at = l.until
    from moved l
    where ${isOfRow('l')} and ${gathersStill}
  )
  select coalesce(json_agg(json_build_array(tenant_id, webhook_id)), '[]')::text as lanes,
    (select count(*)::integer from due) as due,
    (select coalesce(json_agg(distinct webhook_id), '[]')::text from due where is_active is null) as gone
  from (select tenant_id, webhook_id from parts union select tenant_id, webhook_id from alone) lanes`;

import { defaultDigestBytes } from '@posthorn/core';
import type { Database, Statement } from '../client/database.js';
import { eventColumns, eventOf } from '../client/event-rows.js';
import { hasKey, isOfRow } from '../client/given-rows.js';
import { beginning } from '../client/values.js';
import type { Lane } from './lanes.js';

/*
 * Deliveries that gather lie in the queue and are nobody's: no alarm wakes them, no lane holds them. Somebody looks at
 * them when there is one more, when the window of one is over, and when their webhook has changed. Where there are enough,
 * or they have waited enough by what it says then, they become a digest: a row of its own in the queue, due at once, whose name they have from then on. It is that row
 * which is claimed, waits and has the memo; who finds it has all of them, and whoever of them is cancelled just is gone.
 */

/** The place of a delivery among those that it gathers with: by the time, and in one statement by what is added. */
export const gatheredAt = '(extract(epoch from $now) * 1000000)::bigint * 4096';

/** Since when `row` gathers, which its place says. */
const gathersSince = (row: string): string => `to_timestamp(${row}.position / 4096 / 1e6)`;

/** That `q` gathers: not in a form that leads to an index, along which each row would step over all that gather. */
const gathersStill = "coalesce(q.digest_id, '-') = ''";

/** It looks at so many deliveries at a time, and forms so many digests of a binding, and that so many times. */
const maxDue = 1_000;
const maxDigests = 20;
const maxRounds = 20;

/** The digest of a first event, as it stands in the queue; and whether a row of the queue is one. */
export const queueId = (eventId: string): string => `'dig_' || substr(${eventId}, 5)`;
export const isDigest = (eventId: string): boolean => eventId.startsWith('dig_');
export const isDelivery = (row: string): string => `not starts_with(${row}.event_id, 'dig_')`;

/** A digest that has just been claimed. */
export interface ClaimedDigest {
  /** As it stands in the queue. */
  readonly id: string;
  readonly bindingId: string;
  /** How many attempts it has, and whether the last of them has begun with that. */
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
      `with following as (
        update $.queue q set lease = $2::bigint, begun_at = case when g.begun then ${beginning} end,
          attempts = g.attempts
        from json_to_recordset($1::json) as g(digest text, binding text, attempts integer, begun boolean)
        where ${hasKey('q', { binding_id: 'g.binding', digest_id: 'g.digest' })}
        returning q.event_id, q.digest_id, q.position
      )
      select f.digest_id, ${eventColumns}
      from following f cross join lateral (select * from $.events where id = f.event_id offset 0) e
      order by f.position, f.event_id`,
      { isRepeatable: false },
    );
  }

  /**
   * Makes digests of what is to go, and lets go what is to go alone; tells the lanes that they stand in, and the webhooks
   * that are gone, of which something was committed later.
   */
  async form(): Promise<{ readonly lanes: readonly Lane[]; readonly gone: ReadonlySet<string> }> {
    const lanes: Lane[] = [];
    const gone = new Set<string>();
    for (let rounds = 0; rounds < maxRounds; rounds++) {
      const [row] = await this.#db.run(this.#form, []);
      const formed: [string, string][] = JSON.parse(row!.lanes);
      lanes.push(...formed.map(([tenantId, webhookId]) => ({ tenantId, webhookId })));
      for (const webhookId of JSON.parse(row!.gone)) gone.add(webhookId);
      // What is to go and was not formed here is another's, who is about to.
      if (Number(row!.due) === 0 || (formed.length === 0 && Number(row!.due) < maxDue)) break;
    }
    return { lanes, gone };
  }

  /**
   * Puts their deliveries under the lease of these digests: the events of each, by its id. They have its attempts from now
   * on, also where one had begun and its worker was lost before it came to this.
   */
  async follow(
    digests: readonly ClaimedDigest[],
    lease: number,
  ): Promise<ReadonlyMap<string, readonly GatheredEvent[]>> {
    if (digests.length === 0) return new Map();
    const given = digests.map(({ id, bindingId, attempts, hasBegun }) => ({
      digest: id,
      binding: bindingId,
      attempts,
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
    from $.queue q where q.digest_id = '' and q.look_at <= $now
    order by q.look_at limit ${maxDue}
  ), paused as (
    -- Out of the way of others; it is looked at when its webhook is active again.
    update $.queue q set look_at = $now + interval '1 minute' from due d
    where d.is_active is not true and ${isOfRow('d')}
  ), mine as materialized (
    -- One at a time forms digests of a webhook; whoever comes meanwhile leaves it to the other. By what its bindings say
    -- now, whatever they said when an event was published; null for those that want no digests, and where nobody can
    -- read what they want: what has gathered goes alone then, and says so.
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
    ) d on true
  ), single as materialized (
    select d.event_id, d.binding_id, d.since from due d join mine m using (binding_id) where m.waits is null
  ), alone as (
    -- As those that have waited longest: nothing that is published from now on goes before them. What was published in
    -- one statement has one time, and its order in the last digits of its place.
    update $.queue q set digest_id = null, gathers_until = null, look_at = null, is_ready = true,
      due_at = l.since + (q.position & 4095) * interval '1 microsecond'
    from single l
    where ${isOfRow('l')} and ${gathersStill}
    returning q.tenant_id, q.webhook_id
  ), ripe as materialized (
    select m.* from mine m where m.since + m.waits <= $now or (
      select count(*) = m.most or sum(f.gathered_bytes) >= m.max_bytes from (
        select f.gathered_bytes from $.queue f where f.binding_id = m.binding_id and f.digest_id = ''
        order by f.position limit m.most) f)
  ), gathered as materialized (
    -- As they are now, and not as the statement saw them: another may just have formed some, or one be cancelled.
    select r.most, r.max_bytes, g.*, g.since + r.waits <= $now as is_over,
      ($.digest_of(coalesce(g.gathered_bytes, 0), r.most, r.max_bytes) over of_binding)[1] as part
    from ripe r cross join lateral (
      select f.event_id, f.binding_id, f.tenant_id, f.webhook_id, f.channel, f.position, f.gathered_bytes,
        ${gathersSince('f')} as since
      from $.queue f
      where f.binding_id = r.binding_id and f.digest_id = ''
      order by f.position, f.event_id limit ${maxDigests} * r.most for update skip locked
    ) g
    window of_binding as (partition by g.binding_id order by g.position, g.event_id)
  ), parts as materialized (
    select * from (
      select binding_id, part, tenant_id, webhook_id, channel,
        ${queueId('(array_agg(event_id order by position, event_id))[1]')} as id,
        -- Over, full, or followed by one that does not fit in.
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
    -- Those that go, which are locked, and those that have been counted and wait on, for whom it is only the next look.
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

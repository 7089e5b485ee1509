import { type Database, few, type Statement } from './database.js';
import { eventColumns, eventOf } from './event-rows.js';
import type { Lane } from './lanes.js';

/*
 * Deliveries that gather lie in the queue and are nobody's: no alarm wakes them, no lane holds them. When the window of
 * one is over, the earliest of its binding become a digest, in one statement: the first is led into its lane, the others
 * follow it by its name. Whoever leads the first has them all, and who comes too late finds no first to lead.
 */

/** The place of a delivery among those that it gathers with: by the time, and in one statement by what is added. */
export const gatheredAt = '(extract(epoch from $now) * 1000000)::bigint * 4096';

/** It looks at so many deliveries at a time, and so many times: one look forms as many digests as one process can send. */
const maxDue = 1_000;
const maxRounds = 20;

/** A delivery that leads a digest, and has just been claimed. */
export interface Led {
  readonly eventId: string;
  readonly bindingId: string;
}

type GatheredEvent = ReturnType<typeof eventOf>;

/** The name by which the events of a digest are found. */
export const digestName = ({ eventId, bindingId }: Led): string => `${eventId} ${bindingId}`;

export class Digests {
  readonly #db: Database;
  readonly #form: Statement;
  readonly #ripen: Statement;
  readonly #follow: Statement;

  constructor(db: Database) {
    this.#db = db;
    this.#form = db.statement(`
      with due as materialized (
        select q.event_id, q.binding_id, q.webhook_id,
          coalesce((select w.is_active from $.webhooks w where w.id = q.webhook_id), false) as is_active
        from $.queue q where q.digest_id = '' and q.gathers_until <= $now
        order by q.gathers_until limit ${maxDue}
      ), ripe as materialized (
        select distinct binding_id, webhook_id from due where is_active
      ), paused as (
        -- Out of the way of others; it is due at once when its webhook is active again.
        update $.queue q set gathers_until = $now + interval '1 minute' from due d
        where not d.is_active and ${few('length(d.event_id)')}
          and q.event_id = d.event_id and q.binding_id = d.binding_id and q.digest_id = ''
      ), mine as materialized (
        -- One at a time forms digests of a webhook; whoever comes meanwhile leaves it to the other.
        select r.binding_id, least(1000, coalesce((
          select (c -> 'digest' ->> 'maxEvents')::integer from json_array_elements(w.channels::json) c
          where c ->> 'id' = r.binding_id), 1000)) as most
        from ripe r cross join lateral (
          select channels from $.webhooks where id = r.webhook_id for update skip locked
        ) w
      ), led as (
        update $.queue q set digest_id = q.event_id, gathers_until = null, is_ready = true, due_at = $now
        from mine m
        where q.binding_id = m.binding_id and q.digest_id = '' and q.event_id = (
          select f.event_id from $.queue f where f.binding_id = m.binding_id and f.digest_id = ''
          order by f.position, f.event_id limit 1)
        returning q.event_id, q.binding_id, q.tenant_id, q.webhook_id, m.most
      ), following as materialized (
        select l.event_id as leader, l.binding_id, f.event_id from led l cross join lateral (
          select f.event_id from $.queue f
          where f.binding_id = l.binding_id and f.digest_id = '' and f.event_id <> l.event_id
          order by f.position, f.event_id limit l.most - 1
        ) f
      ), followed as (
        update $.queue q set digest_id = f.leader from following f
        where q.event_id = f.event_id and q.binding_id = f.binding_id and q.digest_id = ''
      )
      select coalesce(json_agg(json_build_array(tenant_id, webhook_id)), '[]')::text as lanes,
        (select count(*)::integer from due) as due from led`);
    this.#ripen = db.statement(`
      update $.queue q set gathers_until = $now
      from json_to_recordset($1::json) as g(n integer, binding text, webhook text)
      where ${few('g.n')} and q.binding_id = g.binding and q.digest_id = '' and q.gathers_until > $now
        and q.event_id = (select f.event_id from $.queue f where f.binding_id = g.binding and f.digest_id = ''
          order by f.position, f.event_id limit 1)
        and (
          select count(*) from (
            select from $.queue f where f.binding_id = g.binding and f.digest_id = '' limit 1000) f
        ) >= (
          select (c -> 'digest' ->> 'maxEvents')::integer
          from $.webhooks w cross join json_array_elements(w.channels::json) c
          where w.id = g.webhook and c ->> 'id' = g.binding)`);
    this.#follow = db.statement(
      `with following as (
        update $.queue q set lease = $2::bigint, attempts = q.attempts + 1
        from json_to_recordset($1::json) as g(n integer, event text, binding text)
        where ${few('g.n')} and q.binding_id = g.binding and q.digest_id = g.event and q.event_id <> g.event
        returning q.event_id, q.binding_id, q.digest_id, q.position
      )
      select f.digest_id, f.binding_id, ${eventColumns}
      from following f cross join lateral (select * from $.events where id = f.event_id offset 0) e
      order by f.position, f.event_id`,
      { isRepeatable: false },
    );
  }

  /** Makes digests of what is ripe, and tells the lanes that their first ones stand in. */
  async form(): Promise<readonly Lane[]> {
    const lanes: Lane[] = [];
    for (let rounds = 0; rounds < maxRounds; rounds++) {
      const [row] = await this.#db.run(this.#form, []);
      const formed: [string, string][] = JSON.parse(row!.lanes);
      lanes.push(...formed.map(([tenantId, webhookId]) => ({ tenantId, webhookId })));
      // What is due and was not formed here is another's, who is about to.
      if (Number(row!.due) === 0 || (formed.length === 0 && Number(row!.due) < maxDue)) break;
    }
    return lanes;
  }

  /** Ends the windows of bindings that have gathered enough. A hint, and no more: they end by themselves. */
  async ripen(
    bindings: readonly { readonly webhookId: string; readonly bindingId: string }[],
  ): Promise<void> {
    if (bindings.length === 0) return;
    const webhookOf = new Map(bindings.map(({ webhookId, bindingId }) => [bindingId, webhookId]));
    const given = [...webhookOf].map(([binding, webhook], n) => ({ n, binding, webhook }));
    await this.#db.run(this.#ripen, [JSON.stringify(given)]).catch(() => {});
  }

  /** Puts those that follow under the leases of their first ones: their events, by the digest's name. */
  async follow(led: readonly Led[], lease: number): Promise<ReadonlyMap<string, readonly GatheredEvent[]>> {
    if (led.length === 0) return new Map();
    const given = led.map(({ eventId, bindingId }, n) => ({ n, event: eventId, binding: bindingId }));
    const events = new Map<string, GatheredEvent[]>();
    for (const row of await this.#db.run(this.#follow, [JSON.stringify(given), lease])) {
      const name = digestName({ eventId: row.digest_id, bindingId: row.binding_id });
      const known = events.get(name);
      if (known) known.push(eventOf(row));
      else events.set(name, [eventOf(row)]);
    }
    return events;
  }
}

import { type Claim, type ClaimOptions, deliveryId } from '@posthorn/core';
import { type Database, few, type Statement } from './database.js';
import { eventColumns, eventOf } from './event-rows.js';
import { type Lane, Lanes, type Share } from './lanes.js';
import { newLease, tokenOf } from './leases.js';
import { mayGo } from './ordering.js';
import { cancelWaiting } from './orphans.js';
import type { Answer } from './queryable.js';
import { stampOf, type WebhookCache, type WebhookVersion } from './webhook-cache.js';

/** A look round is worth so long; after that another may find lanes that are not known. */
const lookEveryMs = 100;
/** At most so many lanes a look, and as many alarms. */
const maxLanes = 5_000;
const maxAlarms = 1_000;
/** At most so many of one lane a claim. */
const maxShare = 1_000;
/** Beyond it a statement is slow: it steps over what is deleted and cannot be cleaned up, as under an old snapshot. */
const slowMs = 25;
/** A slow complete look may take one part in so many of the time; between those only what came due lately is looked at. */
const slowShare = 20;
/** What counts as lately, so that what was committed late is seen, too; and how late that mostly is, for one lane. */
const latelyMs = 5_000;
const lateMs = 500;

/**
 * Claims in two steps. A look wakes what is due and finds the lanes that hold something; `Lanes` says whose turn it is;
 * the taking leases that. While lanes are known and fresh, the taking is all.
 */
export class Claimer {
  readonly #db: Database;
  readonly #webhooks: WebhookCache;
  readonly #lanes = new Lanes();
  readonly #look: Statement;
  readonly #take: Statement;
  readonly #takeSlowly: Statement;
  readonly #drop: Statement;
  readonly #cancelWaiting: (webhookId: string) => Promise<void>;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #lookedWith = 0;
  /** The lane that the last look ended at, for there were more: the next one goes on behind it. */
  #walkedTo: readonly [tenantId: string, webhookId: string] = ['', ''];
  /** How long the last complete look took, when it was, and when that was by the storage's clock. */
  #completeMs = 0;
  #completeAt = Number.NEGATIVE_INFINITY;
  #seenUntil: number | undefined;
  #isTakingSlow = false;
  /** While taking is slow: the due time up to which each lane is known to be taken, so that it is not stepped over. */
  readonly #taken = new Map<string, number>();

  constructor(db: Database, webhooks: WebhookCache) {
    this.#db = db;
    this.#webhooks = webhooks;
    this.#cancelWaiting = cancelWaiting(db);
    this.#look = db.statement(`
      with recursive due as materialized (
        select q.event_id, q.binding_id, ${mayGo} as may_go from $.queue q
        where not q.is_ready and q.due_at <= $now and q.due_at >= to_timestamp($1::float8 / 1000)
        order by q.due_at limit ${maxAlarms} for update skip locked
      ), woken as (
        update $.queue q set is_ready = true, is_held = false
        from due d where d.may_go and ${isOfRow('d')}
        returning q.tenant_id, q.webhook_id
      ), held as (
        -- Asked again later, and later each time.
        update $.queue q set is_held = true, due_at = $now + least(interval '10 minutes', greatest(interval '5 seconds',
          $now - (select e.published_at from $.events e where e.id = q.event_id)))
        from due d where not d.may_go and ${isOfRow('d')}
      ), ready (tenant_id, webhook_id, n) as (
        (select q.tenant_id, q.webhook_id, 1 from $.queue q
          where q.is_ready and (q.tenant_id, q.webhook_id) > ($2::text, $3::text)
            and q.due_at >= to_timestamp($1::float8 / 1000)
          order by q.tenant_id, q.webhook_id limit 1)
        union all
        select next.tenant_id, next.webhook_id, ready.n + 1 from ready cross join lateral (
          select q.tenant_id, q.webhook_id from $.queue q
          where q.is_ready and (q.tenant_id, q.webhook_id) > (ready.tenant_id, ready.webhook_id)
            and q.due_at >= to_timestamp($1::float8 / 1000)
          order by q.tenant_id, q.webhook_id limit 1
        ) next where ready.n < ${maxLanes}
      ), lanes as (
        select tenant_id, webhook_id from ready union select tenant_id, webhook_id from woken
      )
      select (extract(epoch from $now) * 1000)::bigint::text as now, (select count(*)::integer from due) as alarms,
        (select json_build_array(tenant_id, webhook_id)::text from ready where n = ${maxLanes}) as last,
        (select coalesce(json_agg(json_build_array(l.tenant_id, l.webhook_id, w.is_active)), '[]')::text
          from lanes l left join lateral (
            select is_active from $.webhooks where id = l.webhook_id offset 0
          ) w on true where w.is_active is not false) as lanes`);
    // Were it tried again, what the first try leased would be nobody's until its lease is over.
    this.#take = db.statement(takeText(false), { isRepeatable: false });
    this.#takeSlowly = db.statement(takeText(true), { isRepeatable: false });
    this.#drop = db.statement(`
      delete from $.queue q using json_to_recordset($1::json) as g(event text, lease bigint)
      where q.event_id = g.event and q.lease = g.lease`);
  }

  /** Deliveries were published that wait in these lanes. */
  expect(lanes: Iterable<Lane>): void {
    for (const lane of lanes) this.#lanes.add(lane);
  }

  async claim(options: ClaimOptions): Promise<readonly Claim[]> {
    for (let looks = 0; ; looks++) {
      const isStale =
        performance.now() - this.#lookedAt > lookEveryMs || this.#lookedWith !== this.#db.clockOffset;
      // A second look sees what the first one woke beyond its limit; a third would see nothing new.
      if (looks > 0 || isStale || this.#lanes.isEmpty) await this.#lookRound();
      const claims = await this.#takeTurns(options);
      if (claims.length > 0 || looks > 0) return claims;
    }
  }

  /** Wakes what is due, and learns of the lanes that hold something. */
  async #lookRound(): Promise<void> {
    const begin = performance.now();
    const isComplete =
      this.#seenUntil === undefined ||
      this.#completeMs < slowMs ||
      begin - this.#completeAt > slowShare * this.#completeMs;
    const since = isComplete ? 0 : this.#seenUntil! - latelyMs;
    let alarms: number;
    do {
      const [row] = await this.#db.run(this.#look, [since, ...this.#walkedTo]);
      alarms = Number(row!.alarms);
      this.#walkedTo = JSON.parse(row!.last ?? '["",""]');
      this.#seenUntil = Number(row!.now);
      for (const [tenantId, webhookId, isActive] of JSON.parse(row!.lanes)) {
        if (isActive) this.#lanes.add({ tenantId, webhookId });
        else if (isActive === null) await this.#cancelWaiting(webhookId);
      }
    } while (alarms === maxAlarms && this.#lanes.isEmpty);
    this.#lookedAt = performance.now();
    this.#lookedWith = this.#db.clockOffset;
    if (!isComplete) return;
    this.#completeAt = begin;
    this.#completeMs = this.#lookedAt - begin;
    // What was committed late lies before those times.
    this.#taken.clear();
    this.#isTakingSlow = false;
  }

  async #takeTurns({ limit, leaseMs, webhookLimit, inFlight }: ClaimOptions): Promise<readonly Claim[]> {
    const room = ({ webhookId }: { webhookId: string }): number =>
      Math.min(webhookLimit - (inFlight.get(webhookId) ?? 0), maxShare);
    const shares = this.#lanes.share(limit, room);
    if (shares.length === 0) return [];
    const lease = newLease();
    const lanes = shares.map(({ lane: { tenantId, webhookId }, count }, n) => ({
      n,
      tenant: tenantId,
      webhook: webhookId,
      count,
      since: this.#taken.get(webhookId) ?? 0,
    }));
    const begin = performance.now();
    const statement = this.#isTakingSlow ? this.#takeSlowly : this.#take;
    const rows = await this.#db.run(statement, [JSON.stringify(lanes), lease, leaseMs]);
    this.#isTakingSlow ||= performance.now() - begin > slowMs;
    for (const [webhookId, dueAt] of Object.entries<number>(JSON.parse(rows[0]?.taken ?? '{}'))) {
      this.#taken.set(webhookId, dueAt - lateMs);
    }
    this.#forgetEmpty(shares, rows);
    return this.#claimsOf(rows, lease);
  }

  /** A lane that gave less than was asked for holds no more; what comes into it later is found by a look. */
  #forgetEmpty(shares: readonly Share[], rows: Answer['rows']): void {
    const counts = new Map<string, number>();
    for (const { webhook_id } of rows) counts.set(webhook_id, (counts.get(webhook_id) ?? 0) + 1);
    for (const { lane, count } of shares) {
      if ((counts.get(lane.webhookId) ?? 0) < count) this.#lanes.remove(lane);
    }
  }

  async #claimsOf(rows: Answer['rows'], lease: number): Promise<readonly Claim[]> {
    const whole = rows.filter(({ id }) => id !== null);
    // A manual retry and retention met: there is nothing left to send.
    const broken = rows.filter(({ id }) => id === null);
    if (broken.length > 0) {
      const gone = broken.map(({ event_id }) => ({ event: event_id, lease }));
      await this.#db.run(this.#drop, [JSON.stringify(gone)]);
    }
    const versions = new Map<string, WebhookVersion>();
    for (const { webhook_id: id, stamp } of whole) {
      if (stamp !== null) versions.set(id, { id, stamp });
    }
    const webhooks = await this.#webhooks.read([...versions.values()]);
    return whole.map((row) => {
      const id = deliveryId(row.event_id, row.binding_id);
      const token = tokenOf(lease, id);
      return {
        deliveryId: id,
        token,
        attempt: Number(row.attempts),
        attemptsBefore: Number(row.attempts_before),
        event: eventOf(row),
        ...webhooks.parts(row.webhook_id, row.tenant_id, row.binding_id),
      };
    });
  }
}

/** That `q` is the row that `row` names; few are named, and it cannot be told from what they are called. */
const isOfRow = (row: string): string =>
  `${few(`length(${row}.event_id)`)} and q.event_id = ${row}.event_id and q.binding_id = ${row}.binding_id`;

/** Leases so many of each lane; where taking is slow it also says up to which due time it has taken each. */
const takeText = (isSlow: boolean): string => `
  with lanes as materialized (
    select * from json_to_recordset($1::json) as l(n integer, tenant text, webhook text, count integer, since float8)
  ), picked as materialized (
    select l.webhook, p.* from lanes l
    cross join lateral (
      select from $.webhooks where id = l.webhook and is_active offset 0
    ) w
    cross join lateral (
      select * from (
        -- The outer limit decides; this one lets the planner know that it is no large share of the table.
        select q.event_id, q.binding_id, q.due_at, q.ordering_key, q.position from $.queue q
        where q.is_ready and q.tenant_id = l.tenant and q.webhook_id = l.webhook
          and q.due_at >= to_timestamp(l.since / 1000) and ${mayGo}
        order by q.due_at limit ${maxShare} for update skip locked
      ) r limit l.count
    ) p
    where ${few('l.n')}
  ), claimed as (
    update $.queue q set is_ready = false, lease = $2::bigint, attempts = attempts + 1,
      due_at = $now + $3::float8 * interval '1 millisecond'
    from picked p
    where ${isOfRow('p')} and (p.ordering_key is null or p.position = (
      select min(o.position) from picked o where o.binding_id = p.binding_id and o.ordering_key = p.ordering_key))
    returning q.event_id, q.binding_id, q.webhook_id, q.attempts, q.attempts_before
  )
  select c.event_id, c.binding_id, c.webhook_id, c.attempts, c.attempts_before, w.stamp, ${eventColumns}${
    isSlow
      ? `, (select json_object_agg(t.webhook, t.ms)::text from (
        select webhook, extract(epoch from max(due_at)) * 1000 as ms from picked group by webhook) t) as taken`
      : ''
  }
  from claimed c
  left join lateral (select * from $.events where id = c.event_id offset 0) e on true
  left join lateral (select ${stampOf('w')} as stamp from $.webhooks w where w.id = c.webhook_id offset 0) w on true`;

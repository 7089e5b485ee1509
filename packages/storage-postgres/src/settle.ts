import type { Claim, Settlement } from '@posthorn/core';
import type { Database, Statement } from './database.js';
import { leaseOf } from './leases.js';
import { advanceChains, type Chain, chainsOf } from './ordering.js';
import { storable } from './texts.js';

const bindingOf = (deliveryId: string): string => `ch_${deliveryId.slice(-10)}`;
const eventOfDelivery = (deliveryId: string): string => `evt_${deliveryId.slice(4, -10)}`;

export class Settler {
  readonly #db: Database;
  readonly #settle: Statement;
  readonly #renew: Statement;
  readonly #recorded: Statement;

  constructor(db: Database) {
    this.#db = db;
    this.#settle = db.statement(
      `with given as materialized (
        select * from json_to_recordset($1::json) as g(
          n integer, event text, binding text, lease bigint, status text, delay float8, yields boolean, id text,
          number integer, at float8, took integer, outcome text, kind text, message text, http smallint, response text)
      ), held as materialized (
        select g.*, q.place from given g cross join lateral (
          select q.ctid as place from $.queue q
          where q.event_id = g.event and q.binding_id = g.binding and q.lease = g.lease offset 0
        ) q
      ), ended as (
        delete from $.queue q
        where q.ctid = any (array(select place from held where status in ('delivered', 'dead', 'cancelled')))
          and q.lease = any (array(select lease from held))
        returning q.event_id, q.binding_id, q.webhook_id, q.channel, q.attempts, q.attempts_before, q.position
      ), kept as (
        insert into $.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before,
          finished_at, position, attempt_id, started_at, duration_ms, outcome, kind, message, http_status, response)
        select e.event_id, e.binding_id, e.webhook_id, e.channel, h.status, e.attempts, e.attempts_before,
          $now, e.position, h.id, to_timestamp(h.at / 1000), h.took, nullif(h.outcome, h.status), h.kind, h.message, h.http, h.response
        from ended e join held h on h.event = e.event_id and h.binding = e.binding_id
      ), again as (
        update $.queue q set lease = null, is_ready = h.delay <= 0, due_at = $now + h.delay * interval '1 millisecond',
          yields = q.yields or h.yields, attempts = q.attempts - case when h.status = 'released' then 1 else 0 end
        from held h
        where q.ctid = any (array(select place from held where status in ('pending', 'released')))
          and q.event_id = h.event and q.binding_id = h.binding and q.lease = h.lease
        returning h.n
      ), tried as (
        insert into $.attempts (event_id, binding_id, id, number, started_at, duration_ms, outcome, kind, message,
          http_status, response)
        select h.event, h.binding, h.id, h.number, to_timestamp(h.at / 1000), h.took, h.outcome, h.kind, h.message,
          h.http, h.response
        from again a join held h using (n) where h.id is not null
      )
      select json_build_array(
        (select json_agg(h.n) from ended e join held h on h.event = e.event_id and h.binding = e.binding_id),
        (select json_agg(n) from again)
      )::text as written`,
    );
    this.#renew = db.statement(`
      with held as materialized (
        select g.*, q.place from json_to_recordset($1::json) as g(n integer, event text, binding text, lease bigint)
        cross join lateral (
          select q.ctid as place from $.queue q
          where q.event_id = g.event and q.binding_id = g.binding and q.lease = g.lease offset 0
        ) q
      )
      update $.queue q set due_at = $now + $2::float8 * interval '1 millisecond', is_ready = false
      from held h
      where q.ctid = any (array(select place from held))
        and q.event_id = h.event and q.binding_id = h.binding and q.lease = h.lease
      returning h.n`);
    this.#recorded = db.statement(`
      select g.n from json_to_recordset($1::json) as g(n integer, event text, binding text, id text)
      where (select true from $.deliveries d
          where d.event_id = g.event and d.binding_id = g.binding and d.attempt_id = g.id limit 1)
        or (select true from $.attempts a
          where a.event_id = g.event and a.binding_id = g.binding and a.id = g.id limit 1)`);
  }

  async renew(claims: readonly Claim[], leaseMs: number): Promise<readonly Claim[]> {
    const given = claims.flatMap((claim, n) => {
      const lease = leaseOf(claim);
      return lease === undefined ? [] : [{ n, ...placeOf(claim), lease }];
    });
    if (given.length === 0) return [];
    const rows = await this.#db.run(this.#renew, [JSON.stringify(given), leaseMs]);
    return rows
      .map(({ n }) => n)
      .sort((a, b) => a - b)
      .map((n) => claims[n]!);
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    const results = settlements.map(() => false);
    const seen = new Set<string>();
    const given = settlements.flatMap((settlement, n) => {
      const { claim } = settlement;
      const lease = leaseOf(claim);
      if (lease === undefined || seen.has(claim.token)) return [];
      seen.add(claim.token);
      return [rowOf(settlement, n, lease)];
    });
    if (given.length === 0) return results;
    const [row] = await this.#db.run(this.#settle, [JSON.stringify(given)]);
    const [ended, again]: [number[] | null, number[] | null] = JSON.parse(row!.written);
    for (const n of ended ?? []) results[n] = true;
    for (const n of again ?? []) results[n] = true;
    await this.#findRecorded(given, results);
    await advanceChains(
      this.#db,
      chainsOf(settlements.flatMap((one, n) => (results[n] ? chainOf(one) : []))),
    );
    return results;
  }

  /** What an earlier try wrote, whose answer was lost: its attempt is on record. */
  async #findRecorded(given: readonly SettledRow[], results: boolean[]): Promise<void> {
    const open = given.filter(({ n, id }) => !results[n] && id !== undefined);
    if (open.length === 0) return;
    const asked = open.map(({ n, event, binding, id }) => ({ n, event, binding, id }));
    for (const { n } of await this.#db.run(this.#recorded, [JSON.stringify(asked)])) results[n] = true;
  }
}

const chainOf = ({ claim: { event, deliveryId } }: Settlement): Chain[] =>
  event.orderingKey === null ? [] : [{ bindingId: bindingOf(deliveryId), orderingKey: event.orderingKey }];

type SettledRow = ReturnType<typeof rowOf>;

const placeOf = ({ deliveryId }: Pick<Claim, 'deliveryId'>): { event: string; binding: string } => ({
  event: eventOfDelivery(deliveryId),
  binding: bindingOf(deliveryId),
});

function rowOf({ claim, next, attempt }: Settlement, n: number, lease: number) {
  const { status } = next;
  return {
    n,
    ...placeOf(claim),
    lease,
    status,
    delay: status === 'pending' ? next.delayMs : 0,
    yields: status === 'pending' && next.yields === true,
    id: attempt?.id,
    number: attempt?.number,
    at: attempt?.startedAt.getTime(),
    took: attempt?.durationMs,
    outcome: attempt?.outcome,
    kind: attempt?.kind ?? undefined,
    message: attempt && (storable(attempt.message) ?? undefined),
    http: attempt?.status ?? undefined,
    response: attempt && (storable(attempt.response) ?? undefined),
  };
}

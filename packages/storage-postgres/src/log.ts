import {
  type Attempt,
  type Delivery,
  type DeliveryLog,
  deliveryId,
  type Event,
  type Page,
  parseDeliveryId,
} from '@posthorn/core';
import type { Database } from './database.js';
import { eventColumns, eventOf } from './event-rows.js';
import { advanceChains, chainsOf } from './ordering.js';
import { idOf } from './pages.js';
import { pruner } from './prune.js';
import { restored } from './texts.js';
import { dateOf, dateOrNull, msOf, numberOrNull } from './values.js';

/** A delivery is in `queue` until it is finished, and in `deliveries` from then on. */
export function deliveryLog(db: Database): DeliveryLog {
  const events = db.statement(`
    select ${eventColumns} from $.events e
    where e.tenant_id = $1::text
      and ($2::text is null or e.id = $2::text)
      and ($3::text is null or e.type = $3::text)
      and ($4::text is null or e.id < $4::text)
    order by e.id desc limit $5::integer`);

  const filters = (row: string): string => `
    e.tenant_id = $1::text
    and ($2::text is null or ${row}.event_id = $2::text)
    and ($3::text is null or ${row}.binding_id = $3::text)
    and ($4::text is null or ${row}.webhook_id = $4::text)
    and ($5::text is null or (${row}.event_id, ${row}.binding_id) < ($5::text, $6::text))`;
  const deliveries = db.statement(`
    with page as (
      (select q.event_id, q.binding_id, q.webhook_id, q.channel,
          case when q.lease is null then 'pending' else 'sending' end as status,
          q.attempts, q.attempts_before, case when q.lease is null then coalesce(q.gathers_until, q.due_at) end as due_at,
          null::timestamptz as finished_at, e.tenant_id, e.type, e.published_at
        from $.queue q join $.events e on e.id = q.event_id
        where ${filters('q')}
          and ($7::json is null or case when q.lease is null then 'pending' else 'sending' end
            in (select json_array_elements_text($7::json)))
        order by q.event_id desc, q.binding_id desc limit $8::integer)
      union all
      (select d.event_id, d.binding_id, d.webhook_id, d.channel, d.status,
          d.attempts, d.attempts_before, null, d.finished_at, e.tenant_id, e.type, e.published_at
        from $.deliveries d join $.events e on e.id = d.event_id
        where ${filters('d')}
          and ($7::json is null or d.status in (select json_array_elements_text($7::json)))
        order by d.event_id desc, d.binding_id desc limit $8::integer)
    )
    select event_id, binding_id, webhook_id, channel, status, attempts, attempts_before, tenant_id, type,
      ${msOf('due_at')} as due_at, ${msOf('published_at')} as published_at, ${msOf('finished_at')} as finished_at
    from page order by event_id desc, binding_id desc limit $8::integer`);

  const attempts = db.statement(`
    with mine as (select id from $.events where id = $2::text and tenant_id = $1::text)
    select a.id, a.number, ${msOf('a.started_at')} as started_at, a.duration_ms, a.outcome, a.kind, a.message,
      a.http_status, a.response
    from (
      select a.id, a.number, a.started_at, a.duration_ms, a.outcome, a.kind, a.message, a.http_status, a.response, 0 as last
      from mine join $.attempts a on a.event_id = mine.id and a.binding_id = $3::text
      union all
      select d.attempt_id, d.attempts, d.started_at, d.duration_ms, coalesce(d.outcome, d.status), d.kind, d.message, d.http_status,
        d.response, 1
      from mine join $.deliveries d on d.event_id = mine.id and d.binding_id = $3::text
      where d.attempt_id is not null
    ) a order by a.number, a.last, a.id`);

  const restart = db.statement(
    `with given as materialized (
      select * from json_to_recordset($2::json) as g(event text, binding text)
    ), mine as materialized (
      select g.*, e.ordering_key from given g cross join lateral (
        select ordering_key from $.events where id = g.event and tenant_id = $1::text offset 0
      ) e
    ), waiting as (
      -- One that gathers or follows goes by itself; a digest's first one takes the others along.
      update $.queue q set is_ready = true, is_held = false, yields = true, due_at = $now, memo = null,
        gathers_until = null, digest_id = case when q.digest_id = q.event_id then q.digest_id end,
        attempts_before = q.attempts
      from mine m
      where q.event_id = m.event and q.binding_id = m.binding and q.lease is null
        and exists (select from $.webhooks w where w.id = q.webhook_id)
      returning q.event_id, q.binding_id, q.ordering_key
    ), finished as (
      delete from $.deliveries d using mine m
      where d.event_id = m.event and d.binding_id = m.binding
        and exists (select from $.webhooks w where w.id = d.webhook_id and w.tenant_id = $1::text)
      returning d.*, m.ordering_key
    ), logged as (
      insert into $.attempts (event_id, binding_id, id, number, started_at, duration_ms, outcome, kind, message,
        http_status, response)
      select event_id, binding_id, attempt_id, attempts, started_at, duration_ms, coalesce(outcome, status), kind, message,
        http_status, response
      from finished where attempt_id is not null
    ), queued as (
      insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, lease, position, attempts,
        attempts_before, is_ready, is_held, yields, ordering_key)
      select event_id, binding_id, $1::text, webhook_id, channel, $now, null,
        position, attempts, attempts, true, false, true, ordering_key
      from finished
    )
    select event_id, binding_id, ordering_key from waiting
    union all select event_id, binding_id, ordering_key from finished`,
    { isRepeatable: false },
  );

  const cancel = db.statement(
    `with given as materialized (
      select * from json_to_recordset($2::json) as g(event text, binding text)
    ), ended as (
      delete from $.queue q using given g
      where q.event_id = g.event and q.binding_id = g.binding and q.tenant_id = $1::text
      returning q.*
    ), left_alone as (
      -- Those whose first one it was gather anew.
      update $.queue q set digest_id = '', gathers_until = $now, lease = null
      from ended e
      where e.digest_id = e.event_id and q.binding_id = e.binding_id and q.digest_id = e.event_id
        and not exists (select from given g where g.event = q.event_id and g.binding = q.binding_id)
    ), kept as (
      insert into $.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before,
        finished_at, position)
      select event_id, binding_id, webhook_id, channel, 'cancelled', attempts, attempts_before, $now, position
      from ended
    )
    select event_id, binding_id, ordering_key from ended`,
    { isRepeatable: false },
  );

  return {
    async events(tenantId, { id, type, limit, cursor }): Promise<Page<Event>> {
      const rows = await db.run(events, [tenantId, id ?? null, type ?? null, idOf(cursor), limit + 1]);
      const items = rows.slice(0, limit).map(eventOf);
      return { items, nextCursor: rows.length > limit ? items.at(-1)!.id : null };
    },

    async deliveries(tenantId, { id, eventId, webhookId, status, limit, cursor }): Promise<Page<Delivery>> {
      const named = id === undefined ? undefined : parseDeliveryId(id);
      const isElsewhere = named && eventId !== undefined && named.eventId !== eventId;
      if ((id !== undefined && !named) || isElsewhere) return { items: [], nextCursor: null };
      const last = cursor === undefined ? undefined : parseDeliveryId(idOf(cursor)!);
      const rows = await db.run(deliveries, [
        tenantId,
        named?.eventId ?? eventId ?? null,
        named?.bindingId ?? null,
        webhookId ?? null,
        last?.eventId ?? null,
        last?.bindingId ?? null,
        status ? JSON.stringify(status) : null,
        limit + 1,
      ]);
      const items = rows.slice(0, limit).map(deliveryOf);
      return { items, nextCursor: rows.length > limit ? items.at(-1)!.id : null };
    },

    async attempts(tenantId, id) {
      const named = parseDeliveryId(id);
      if (!named) return [];
      const rows = await db.run(attempts, [tenantId, named.eventId, named.bindingId]);
      return rows.map((row) => attemptOf(row, id));
    },

    async setStatus(tenantId, deliveryIds, status) {
      const given = deliveryIds.flatMap((id) => {
        const named = parseDeliveryId(id);
        return named ? [{ event: named.eventId, binding: named.bindingId }] : [];
      });
      if (given.length === 0) return [];
      const statement = status === 'pending' ? restart : cancel;
      const rows = await db.run(statement, [tenantId, JSON.stringify(given)]);
      await advanceChains(db, chainsOf(rows.flatMap(chainOf)));
      const moved = new Set(rows.map((row) => deliveryId(row.event_id, row.binding_id)));
      return [...new Set(deliveryIds)].filter((id) => moved.has(id));
    },

    prune: pruner(db),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: a row as the client read it.
type Row = Record<string, any>;

const chainOf = (row: Row) =>
  row.ordering_key === null ? [] : [{ bindingId: row.binding_id, orderingKey: row.ordering_key }];

function deliveryOf(row: Row): Delivery {
  return {
    id: deliveryId(row.event_id, row.binding_id),
    tenantId: row.tenant_id,
    eventId: row.event_id,
    eventType: row.type,
    webhookId: row.webhook_id,
    bindingId: row.binding_id,
    channel: row.channel,
    status: row.status,
    attempts: Number(row.attempts),
    attemptsBefore: Number(row.attempts_before),
    dueAt: dateOrNull(row.due_at),
    createdAt: dateOf(row.published_at),
    finishedAt: dateOrNull(row.finished_at),
  };
}

function attemptOf(row: Row, deliveryId: string): Attempt {
  return {
    id: row.id,
    deliveryId,
    number: Number(row.number),
    startedAt: dateOf(row.started_at),
    durationMs: Number(row.duration_ms),
    outcome: row.outcome,
    kind: row.kind,
    message: restored(row.message),
    status: numberOrNull(row.http_status),
    response: restored(row.response),
  };
}

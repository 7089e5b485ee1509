import type { Attempt, Delivery } from '@posthorn/core';
import { type DeliveryCounts, type DeliveryLog, deliveryId, parseDeliveryId } from '@posthorn/core/storage';
import type { Database } from '../client/database.js';
import { eventColumns, eventOf } from '../client/event-rows.js';
import { deliveryCursor, eventCursor, idRange, justAfter } from '../client/pages.js';
import { parameters } from '../client/parameters.js';
import type { Answer } from '../client/queryable.js';
import { restored } from '../client/texts.js';
import { dateOf, dateOrNull, msOf, numberOrNull } from '../client/values.js';
import { pruner } from './prune.js';
import { type Half, halvesOf } from './selection.js';
import { transitioner } from './transition.js';

/** Of a delivery in `queue`, and in `deliveries`. */
const columns = {
  q: `q.attempts, q.attempts_before,
    case when q.lease is null then coalesce(q.gathers_until, q.due_at) end as due_at, null::timestamptz as finished_at`,
  d: 'd.attempts, d.attempts_before, null::timestamptz as due_at, d.finished_at',
};

export function deliveryLog(db: Database): DeliveryLog {
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

  return {
    async events(tenantId, { id, type, limit, cursor, ...within }) {
      const { values, as } = parameters();
      const { from, before } = idRange(within, id, eventCursor(cursor));
      const text = `
        select ${eventColumns} from $.events e
        where e.tenant_id = ${as('text', tenantId)} and e.id >= ${as('text', from)} and e.id < ${as('text', before)}
          ${type === undefined ? '' : `and e.type = ${as('text', type)}`}
        order by e.id desc limit ${as('integer', limit + 1)}`;
      const rows = await db.run(db.statement(text), values);
      const items = rows.slice(0, limit).map(eventOf);
      return { items, nextCursor: rows.length > limit ? items.at(-1)!.id : null };
    },

    async deliveries(tenantId, { id, eventId, limit, cursor, ...filter }) {
      const named = id === undefined ? undefined : parseDeliveryId(id);
      const isElsewhere = named && eventId !== undefined && named.eventId !== eventId;
      if ((id !== undefined && !named) || isElsewhere) return { items: [], nextCursor: null };
      const last = deliveryCursor(cursor);
      const range = idRange(filter, named?.eventId ?? eventId, last && justAfter(last.eventId));
      const params = parameters();
      const { values, as } = params;
      const halves = halvesOf(tenantId, { ...filter, range, bindingId: named?.bindingId }, params);
      if (halves.length === 0) return { items: [], nextCursor: null };
      const end = last && `(${as('text', last.eventId)}, ${as('text', last.bindingId)})`;
      const most = as('integer', limit + 1);
      const pageOf = ({ row, status, from }: Half): string => `
        (select ${row}.event_id, ${row}.binding_id, ${row}.webhook_id, ${row}.channel, ${status} as status,
          ${columns[row]}, e.tenant_id, e.type, e.published_at
        from ${from} ${end ? `and (${row}.event_id, ${row}.binding_id) < ${end}` : ''}
        order by ${row}.event_id desc, ${row}.binding_id desc limit ${most})`;
      const text = `
        select event_id, binding_id, webhook_id, channel, status, attempts, attempts_before, tenant_id, type,
          ${msOf('due_at')} as due_at, ${msOf('published_at')} as published_at, ${msOf('finished_at')} as finished_at
        from (${halves.map(pageOf).join(' union all ')}) page
        order by event_id desc, binding_id desc limit ${most}`;
      const rows = await db.run(db.statement(text), values);
      const items = rows.slice(0, limit).map(deliveryOf);
      return { items, nextCursor: rows.length > limit ? items.at(-1)!.id : null };
    },

    async counts(tenantId, { eventId, ...selection }, bounds) {
      const params = parameters();
      const range = idRange(selection, eventId, undefined);
      const halves = halvesOf(tenantId, { ...selection, range, bindingId: undefined }, params);
      const counts = Array.from({ length: bounds.length + 1 }, () => ({ ...none }));
      if (halves.length === 0) return counts;
      const ids = params.as('json', JSON.stringify(bounds));
      const bucket = `width_bucket(e.id, array(select json_array_elements_text(${ids}) collate "C"))`;
      const text = `
        select bucket, status, count(*)::text as count
        from (${halves.map(({ status, from }) => `select ${bucket} as bucket, ${status} as status from ${from}`).join(' union all ')}) s
        group by bucket, status`;
      for (const row of await db.run(db.statement(text), params.values)) {
        counts[Number(row.bucket)]![row.status as keyof DeliveryCounts] = Number(row.count);
      }
      return counts;
    },

    async attempts(tenantId, id) {
      const named = parseDeliveryId(id);
      if (!named) return [];
      const rows = await db.run(attempts, [tenantId, named.eventId, named.bindingId]);
      return rows.map((row) => attemptOf(row, id));
    },

    transition: transitioner(db),

    prune: pruner(db),
  };
}

const none = { pending: 0, sending: 0, delivered: 0, dead: 0, cancelled: 0 };

type Row = Answer['rows'][number];

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
    attemptsBeforeRetry: Number(row.attempts_before),
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

import { type Page, PosthornError } from '@posthorn/core';
import type { WebhookFilter, WebhookRecord, WebhookStore } from '@posthorn/core/storage';
import type { Database } from './client/database.js';
import { positionOf } from './client/pages.js';
import { type Parameters, parameters } from './client/parameters.js';
import type { Transaction } from './client/queryable.js';
import { storable } from './client/texts.js';
import { newPosition } from './client/values.js';
import { recordColumns, recordOf, recordsOf, secretsText } from './client/webhook-rows.js';
import { isMember, withMembers } from './queue/digests.js';
import { cancelWaiting } from './queue/orphans.js';

/** The SQL of one column of the bindings that publishing reads, from the JSON in `parameter`. */
const given = (parameter: string, column: 'id' | 'channel' | 'window'): string => `array(
          select b."${column}" from json_to_recordset(${parameter}::json) as b(id text, channel text, "window" float8))`;

/** Makes the subscriptions equal to the event types of the `changed` webhooks. */
const subscribe = `
  removed as (
    delete from $.subscriptions s using changed c
    where s.webhook_id = c.id and (not c.is_active or s.pattern <> all (c.event_types))
  ), added as (
    insert into $.subscriptions (tenant_id, pattern, webhook_id)
    select c.tenant_id, t.pattern, c.id from changed c cross join lateral unnest(c.event_types) as t(pattern)
    where c.is_active
    on conflict do nothing
  )`;

const createText = `with changed as (
  insert into $.webhooks (id, tenant_id, name, event_types, channels, binding_ids, binding_channels,
    binding_windows, secrets, is_active, version, created_at, updated_at, position)
  overriding system value
  select $1::text, $2::text, $3::text, array(select json_array_elements_text($4::json)), $5::text,
    ${given('$6', 'id')}, ${given('$6', 'channel')}, ${given('$6', 'window')},
    $7::text, $8::boolean, 1, $now, $now, ${newPosition(
      'webhooks_position_seq',
      'select position from $.webhooks where tenant_id = $2::text order by position desc limit 1',
    )}
  on conflict (id) do nothing
  returning *
), ${subscribe}
select ${recordColumns} from changed w`;

const updateText = `with changed as (
  update $.webhooks set
    name = coalesce($4::text, name),
    event_types = case when $5::json is null then event_types
      else array(select json_array_elements_text($5::json)) end,
    channels = coalesce($6::text, channels),
    binding_ids = case when $7::json is null then binding_ids else ${given('$7', 'id')} end,
    binding_channels = case when $7::json is null then binding_channels else ${given('$7', 'channel')} end,
    binding_windows = case when $7::json is null then binding_windows else ${given('$7', 'window')} end,
    secrets = coalesce($8::text, secrets),
    is_active = coalesce($9::boolean, is_active),
    disabled_reason = case when $11::boolean then $12::text else disabled_reason end,
    version = version + 1,
    updated_at = case when $10::boolean then $now else updated_at end
  where id = $1::text and tenant_id = $2::text and version = $3::integer
  returning *
), ${subscribe}, bindings as (
  -- The new ones and those that were dropped: the old row is still visible here.
  select b ->> 'id' as id from changed c cross join json_array_elements($.json_array_in(c.channels)) b
  union
  select b ->> 'id' from changed c join $.webhooks w using (id) cross join json_array_elements($.json_array_in(w.channels)) b
), gathering as ${withMembers('bindings b', 'b.id', "''")}, ripened as (
  -- Re-examines what gathers.
  update $.queue q set look_at = $now from gathering g
  where ($9::boolean is not null or $6::text is not null) and ${isMember('g')}
)
select ${recordColumns} from changed w`;

const deleteText = `with gone as (
  delete from $.webhooks
  where id = $1::text and tenant_id = $2::text and version = coalesce($3::integer, version)
  returning id
), unsubscribed as (
  delete from $.subscriptions s using gone where s.webhook_id = gone.id
)
select id from gone`;

export function webhookStore(db: Database): WebhookStore<Transaction> {
  const create = db.statement(createText, { isRepeatable: false });
  const update = db.statement(updateText, { isRepeatable: false });
  const get = db.statement(`
    select ${recordColumns} from $.webhooks w where w.id = $1::text and w.tenant_id = coalesce($2::text, w.tenant_id)`);
  const listAll = db.statement(`
    select ${recordColumns} from $.webhooks w
    where $1::text is null or w.id > $1::text
    order by w.id limit $2::integer`);
  const remove = db.statement(deleteText, { isRepeatable: false });
  const cancel = cancelWaiting(db);

  return {
    async create(webhook, options = {}) {
      const { id, tenantId, name, eventTypes, channels, secrets, isActive } = webhook;
      const values = [id, tenantId, name, JSON.stringify(eventTypes), JSON.stringify(channels)];
      const rows = await db.run(
        create,
        [...values, bindingsText(channels), secretsText(secrets), String(isActive)],
        options.tx,
      );
      if (rows.length === 0) throw new PosthornError('conflict', `webhook id ${id} is taken`);
      return recordOf(rows[0]!);
    },

    async get(tenantId, webhookId) {
      const [row] = await db.run(get, [webhookId, tenantId ?? null]);
      return row && recordOf(row);
    },

    async list(tenantId, filter): Promise<Page<WebhookRecord>> {
      const { limit, offset = 0, withTotal = false } = filter;
      if (tenantId === undefined) {
        const rows = await db.run(listAll, [filter.cursor ?? null, limit + 1]);
        const shown = rows.slice(0, limit);
        return { ...recordsOf(shown), nextCursor: rows.length > limit ? shown.at(-1)!.id : null };
      }
      const position = positionOf(filter.cursor);
      const { values, as } = parameters();
      const fitting = `$.webhooks w where ${conditionsOf(tenantId, filter, as)}`;
      const total = withTotal
        ? db.run(db.statement(`select count(*)::text as count from ${fitting}`), [...values])
        : undefined;
      const text = `
        select ${recordColumns} from ${fitting}
          ${position === undefined ? '' : `and w.position < ${as('bigint', position)}`}
        order by w.position desc limit ${as('integer', limit + 1)} offset ${as('integer', offset)}`;
      const [rows, counted] = await Promise.all([db.run(db.statement(text), values), total]);
      const shown = rows.slice(0, limit);
      return {
        ...recordsOf(shown),
        nextCursor: rows.length > limit ? shown.at(-1)!.position : null,
        ...(counted && { total: Number(counted[0]!.count) }),
      };
    },

    async update(tenantId, webhookId, version, change, { keepUpdatedAt = false } = {}) {
      const { name, eventTypes, channels, secrets, isActive, disabledReason } = change;
      const isSeen = !keepUpdatedAt && Object.keys(change).some((field) => field !== 'secrets');
      const [row] = await db.run(update, [
        webhookId,
        tenantId,
        version,
        name ?? null,
        eventTypes ? JSON.stringify(eventTypes) : null,
        channels ? JSON.stringify(channels) : null,
        channels ? bindingsText(channels) : null,
        secrets ? secretsText(secrets) : null,
        isActive === undefined ? null : String(isActive),
        String(isSeen),
        String(disabledReason !== undefined),
        storable(disabledReason ?? null),
      ]);
      return row && recordOf(row);
    },

    async delete(tenantId, webhookId, version) {
      const [gone] = await db.run(remove, [webhookId, tenantId, version ?? null]);
      if (!gone) return false;
      await cancel(webhookId);
      return true;
    },
  };
}

function conditionsOf(
  tenantId: string,
  { isActive, name, keys }: WebhookFilter,
  as: Parameters['as'],
): string {
  const own = `w.tenant_id = ${as('text', tenantId)}`;
  const named = name === undefined ? [] : [`w.name = ${as('text', name)}`];
  const active = isActive === undefined ? [] : [`w.is_active = ${as('boolean', String(isActive))}`];
  const holding = keys
    ? [`w.event_types && array(select json_array_elements_text(${as('json', JSON.stringify(keys))}))`]
    : [];
  return [own, ...named, ...active, ...holding].join(' and ');
}

/** Returns the bindings that publishing needs, as JSON: without those that wait for another to fail. */
const bindingsText = (channels: WebhookRecord['channels']): string =>
  JSON.stringify(
    channels
      .filter(({ onlyAfter }) => onlyAfter === undefined)
      .map(({ id, channel, digest }) => ({ id, channel, window: digest && Number(digest.window) })),
  );

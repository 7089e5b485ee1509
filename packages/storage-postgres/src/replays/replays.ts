import { PosthornError, type Replay, type ReplayStore } from '@posthorn/core';
import type { Database } from '../client/database.js';
import { dateOf, dateOrNull, msOf } from '../client/values.js';
import { leaseOf, newLease, tokenOf } from '../queue/leases.js';

const columns = `r.id, r.tenant_id as tenant, r.selection, r.per_second as pace, r.status, r.replayed::text as replayed,
  r.skipped::text as skipped, ${msOf('r.created_at')} as created, ${msOf('r.finished_at')} as finished`;

export function replayStore(db: Database): Omit<ReplayStore, 'backfill' | 'hasten'> {
  const create = db.statement(
    `insert into $.replays as r (id, tenant_id, selection, per_second, status, replayed, skipped, created_at, due_at)
    values ($1::text, $2::text, $3::text, $4::integer, 'running', 0, 0, $now, $now)
    on conflict do nothing
    returning ${columns}`,
    { isRepeatable: false },
  );
  const get = db.statement(`
    select ${columns} from $.replays r where r.id = $1::text and r.tenant_id = $2::text`);
  const cancel = db.statement(`
    update $.replays r set lease = null, finished_at = coalesce(r.finished_at, $now),
      status = case when r.status = 'running' then 'cancelled' else r.status end
    where r.id = $1::text and r.tenant_id = $2::text
    returning ${columns}`);
  const claim = db.statement(
    `update $.replays r set lease = $1::bigint, due_at = $now + $2::float8 * interval '1 millisecond'
    where r.id = (
      select id from $.replays where status = 'running' and due_at <= $now
      order by due_at limit 1 for update skip locked
    )
    returning ${columns}, r."cursor"`,
    { isRepeatable: false },
  );
  // A second time its lease is gone: nothing is ever counted twice.
  const save = db.statement(`
    update $.replays r set lease = null, replayed = r.replayed + $3::bigint, skipped = r.skipped + $4::bigint,
      "cursor" = $5::text, due_at = $now + $6::float8 * interval '1 millisecond',
      status = case when $5::text is null then 'done' else r.status end,
      finished_at = case when $5::text is null then $now end
    where r.id = $1::text and r.lease = $2::bigint
    returning ${columns}`);

  return {
    async create({ id, tenantId, selection, perSecond }) {
      const [row] = await db.run(create, [id, tenantId, JSON.stringify(selection), perSecond]);
      if (!row) throw new PosthornError('conflict', `replay id ${id} is taken`);
      return replayOf(row);
    },

    async get(tenantId, replayId) {
      const [row] = await db.run(get, [replayId, tenantId]);
      return row && replayOf(row);
    },

    async cancel(tenantId, replayId) {
      const [row] = await db.run(cancel, [replayId, tenantId]);
      return row && replayOf(row);
    },

    async claim(leaseMs) {
      const lease = newLease();
      const [row] = await db.run(claim, [lease, leaseMs]);
      return row && { replay: replayOf(row), token: tokenOf(lease, row.id), cursor: row.cursor };
    },

    async save({ replay, token }, { replayed, skipped, cursor, delayMs }) {
      const lease = leaseOf({ token, deliveryId: replay.id });
      if (lease === undefined) return undefined;
      const [row] = await db.run(save, [replay.id, lease, replayed, skipped, cursor, delayMs]);
      return row && replayOf(row);
    },
  };
}

/** The SQL that forgets what ended `$1` milliseconds ago or earlier, at most `$2`. */
export const forgetReplays = `
  delete from $.replays r where r.id = any (array(
    select o.id from $.replays o where o.finished_at <= $now - $1::float8 * interval '1 millisecond'
    order by o.finished_at limit $2::integer for update skip locked))`;

// biome-ignore lint/suspicious/noExplicitAny: a row as the client read it.
function replayOf(row: Record<string, any>): Replay {
  return {
    id: row.id,
    tenantId: row.tenant,
    selection: JSON.parse(row.selection),
    perSecond: Number(row.pace),
    status: row.status,
    replayed: Number(row.replayed),
    skipped: Number(row.skipped),
    createdAt: dateOf(row.created),
    finishedAt: dateOrNull(row.finished),
  };
}

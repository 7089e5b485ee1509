import { Database } from '../src/client/database.js';
import type { Pool } from '../src/index.js';

/*
 * What processes of the version before 0020_documents.sql do with API keys and replays: their statements, as they were.
 */

const newPosition = `(
  select case when n > last then n else (select max(nextval('$.api_keys_position_seq')) from generate_series(n, last)) end
  from (select nextval('$.api_keys_position_seq') as n,
    coalesce((select position from $.api_keys where tenant_id = $2::text order by position desc limit 1), 0) as last offset 0) p)`;

interface OldClaim {
  readonly id: string;
  readonly lease: number;
  readonly cursor: string | null;
}

interface OldReplay {
  readonly id: string;
  readonly status: string;
  readonly replayed: number;
  readonly skipped: number;
  readonly isFinished: boolean;
}

export interface VersionBefore {
  createKey(id: string, tenantId: string, hash: string): Promise<void>;
  /** Whether it finds the key, which it does not where that is revoked. */
  findsKey(id: string): Promise<boolean>;
  listKeys(tenantId: string): Promise<string[]>;
  revokeKey(tenantId: string, id: string): Promise<boolean>;
  touchKey(id: string): Promise<void>;
  createReplay(id: string, tenantId: string, selection: object, perSecond: number): Promise<void>;
  getReplay(id: string): Promise<OldReplay | undefined>;
  cancelReplay(tenantId: string, id: string): Promise<void>;
  claimReplay(leaseMs: number): Promise<OldClaim | undefined>;
  /** Whether its lease held. */
  saveReplay(claim: OldClaim, replayed: number, cursor: string | null, delayMs?: number): Promise<boolean>;
  pruneReplays(olderThanMs: number): Promise<void>;
}

let leases = 0;

export function versionBefore(pool: Pool, schema: string, clockOffset = () => 0): VersionBefore {
  const db = new Database(pool, { schema, prepare: true, timeoutMs: 30_000, clockOffset });
  const statement = (text: string, isRepeatable = true) => db.statement(text, { isRepeatable });
  const create = statement(
    `insert into $.api_keys as k (id, tenant_id, name, mode, scopes, hash, created_at, expires_at, position)
    overriding system value
    values ($1::text, $2::text, $3::text, $4::text, array(select json_array_elements_text($5::json)), $6::text, $now,
      to_timestamp($7::float8 / 1000), ${newPosition})
    on conflict (id) do nothing
    returning k.id`,
    false,
  );
  const find = statement(`
    select k.id from $.api_keys k
    where k.id = $1::text and k.revoked_at is null and (k.expires_at is null or k.expires_at > $now)`);
  const list = statement(`
    select k.id from $.api_keys k
    where k.tenant_id = $1::text and ($2::bigint is null or k.position < $2::bigint)
    order by k.position desc limit $3::integer`);
  const revoke = statement(`
    update $.api_keys as k set revoked_at = coalesce(k.revoked_at, $now)
    where k.id = $1::text and k.tenant_id = $2::text
    returning k.id`);
  const touch = statement('update $.api_keys set last_used_at = $now where id = $1::text');
  const createReplay = statement(
    `insert into $.replays as r (id, tenant_id, selection, per_second, status, replayed, skipped, created_at, due_at)
    values ($1::text, $2::text, $3::text, $4::integer, 'running', 0, 0, $now, $now)
    on conflict do nothing
    returning r.id`,
    false,
  );
  const get = statement(`
    select r.id, r.status, r.replayed::text as replayed, r.skipped::text as skipped, r.finished_at is not null as finished
    from $.replays r where r.id = $1::text`);
  const cancel = statement(`
    update $.replays r set lease = null, finished_at = coalesce(r.finished_at, $now),
      status = case when r.status = 'running' then 'cancelled' else r.status end
    where r.id = $1::text and r.tenant_id = $2::text
    returning r.id`);
  const claim = statement(
    `update $.replays r set lease = $1::bigint, due_at = $now + $2::float8 * interval '1 millisecond'
    where r.id = (
      select id from $.replays where status = 'running' and due_at <= $now
      order by due_at limit 1 for update skip locked
    )
    returning r.id, r."cursor"`,
    false,
  );
  const save = statement(`
    update $.replays r set lease = null, replayed = r.replayed + $3::bigint, skipped = r.skipped + $4::bigint,
      "cursor" = $5::text, due_at = $now + $6::float8 * interval '1 millisecond',
      status = case when $5::text is null then 'done' else r.status end,
      finished_at = case when $5::text is null then $now end
    where r.id = $1::text and r.lease = $2::bigint
    returning r.id`);
  const forget = statement(`
    delete from $.replays r where r.id = any (array(
      select o.id from $.replays o where o.finished_at <= $now - $1::float8 * interval '1 millisecond'
      order by o.finished_at limit $2::integer for update skip locked))`);

  return {
    async createKey(id, tenantId, hash) {
      await db.run(create, [
        id,
        tenantId,
        'Old "key"',
        'live',
        '["webhooks:read","events:write"]',
        hash,
        null,
      ]);
    },
    findsKey: async (id) => (await db.run(find, [id])).length > 0,
    listKeys: async (tenantId) => (await db.run(list, [tenantId, null, 100])).map((row) => row.id),
    revokeKey: async (tenantId, id) => (await db.run(revoke, [id, tenantId])).length > 0,
    async touchKey(id) {
      await db.run(touch, [id]);
    },
    async createReplay(id, tenantId, selection, perSecond) {
      await db.run(createReplay, [id, tenantId, JSON.stringify(selection), perSecond]);
    },
    async getReplay(id) {
      const [row] = await db.run(get, [id]);
      if (!row) return undefined;
      const { status, replayed, skipped, finished } = row;
      return { id, status, replayed: Number(replayed), skipped: Number(skipped), isFinished: finished };
    },
    async cancelReplay(tenantId, id) {
      await db.run(cancel, [id, tenantId]);
    },
    async claimReplay(leaseMs) {
      const lease = ++leases;
      const [row] = await db.run(claim, [lease, leaseMs]);
      return row && { id: row.id, lease, cursor: row.cursor };
    },
    saveReplay: async ({ id, lease }, replayed, cursor, delayMs = 0) =>
      (await db.run(save, [id, lease, replayed, 0, cursor, delayMs])).length > 0,
    async pruneReplays(olderThanMs) {
      await db.run(forget, [olderThanMs, 100]);
    },
  };
}

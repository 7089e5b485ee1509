import { type ApiKeyRecord, type ApiKeyStore, PosthornError } from '@posthorn/core';
import type { Database } from './client/database.js';
import { positionOf } from './client/pages.js';
import { dateOf, dateOrNull, msOf, newPosition } from './client/values.js';

/** A row of `api_keys`, as `k`, for {@link recordOf}. */
const columns = `k.id, k.tenant_id as tenant, k.position::text as position, k.name, k.mode,
  to_json(k.scopes)::text as scopes, k.hash, ${msOf('k.created_at')} as created, ${msOf('k.expires_at')} as expires,
  ${msOf('k.last_used_at')} as used, ${msOf('k.revoked_at')} as revoked`;

export function apiKeyStore(db: Database): ApiKeyStore {
  const create = db.statement(
    `insert into $.api_keys as k (id, tenant_id, name, mode, scopes, hash, created_at, expires_at, position)
    overriding system value
    values ($1::text, $2::text, $3::text, $4::text, array(select json_array_elements_text($5::json)), $6::text, $now,
      to_timestamp($7::float8 / 1000), ${newPosition(
        'api_keys_position_seq',
        'select position from $.api_keys where tenant_id = $2::text order by position desc limit 1',
      )})
    on conflict (id) do nothing
    returning ${columns}`,
    { isRepeatable: false },
  );
  // One row by its primary key: it stands before every request of the management API.
  const find = db.statement(`
    select ${columns} from $.api_keys k
    where k.id = $1::text and k.revoked_at is null and (k.expires_at is null or k.expires_at > $now)`);
  const list = db.statement(`
    select ${columns} from $.api_keys k
    where k.tenant_id = $1::text and ($2::bigint is null or k.position < $2::bigint)
    order by k.position desc limit $3::integer`);
  const revoke = db.statement(`
    update $.api_keys as k set revoked_at = coalesce(k.revoked_at, $now)
    where k.id = $1::text and k.tenant_id = $2::text
    returning ${columns}`);
  const touch = db.statement('update $.api_keys set last_used_at = $now where id = $1::text');

  return {
    async create({ id, tenantId, name, mode, scopes, hash, expiresAt }) {
      const values = [id, tenantId, name, mode, JSON.stringify(scopes), hash, expiresAt?.getTime() ?? null];
      const [row] = await db.run(create, values);
      if (!row) throw new PosthornError('conflict', `API key id ${id} is taken`);
      return recordOf(row);
    },

    async find(keyId) {
      const [row] = await db.run(find, [keyId]);
      return row && recordOf(row);
    },

    async list(tenantId, { limit, cursor }) {
      const rows = await db.run(list, [tenantId, positionOf(cursor), limit + 1]);
      const shown = rows.slice(0, limit);
      return { items: shown.map(recordOf), nextCursor: rows.length > limit ? shown.at(-1)!.position : null };
    },

    async revoke(tenantId, keyId) {
      const [row] = await db.run(revoke, [keyId, tenantId]);
      return row && recordOf(row);
    },

    async touch(keyId) {
      await db.run(touch, [keyId]);
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: a row as the client read it.
const recordOf = (row: Record<string, any>): ApiKeyRecord => ({
  id: row.id,
  tenantId: row.tenant,
  name: row.name,
  mode: row.mode,
  scopes: JSON.parse(row.scopes),
  hash: row.hash,
  createdAt: dateOf(row.created),
  expiresAt: dateOrNull(row.expires),
  lastUsedAt: dateOrNull(row.used),
  revokedAt: dateOrNull(row.revoked),
});

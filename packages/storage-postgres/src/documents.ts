import type { DocumentStore, StoredDocument } from '@posthorn/core/storage';
import type { Database } from './client/database.js';
import { positionOf } from './client/pages.js';
import { restored, storable } from './client/texts.js';
import { dateOf, dateOrNull, msOf } from './client/values.js';

/** The columns of a row `d` of `documents` that {@link documentOf} reads. */
const columns = `d.kind, d.id, d.tenant_id as tenant, d.version::text as version, d.body, ${msOf('d.due_at')} as due,
  ${msOf('d.created_at')} as created, ${msOf('d.updated_at')} as updated`;

/** The SQL of a due time: the parameter is the number of milliseconds from now, or null for no due time. */
const dueIn = (parameter: string): string => `$now + ${parameter}::float8 * interval '1 millisecond'`;

export function documentStore(db: Database): DocumentStore {
  // Reads one row by its primary key: every request of the management API runs this first.
  const get = db.statement(`
    select ${msOf('$now')} as at, ${columns}
    from (select) one left join $.documents d on d.kind = $1::text and d.id = $2::text`);
  const create = db.statement(
    `insert into $.documents as d (kind, id, tenant_id, version, body, due_at, created_at, updated_at, position)
    overriding system value
    values ($1::text, $2::text, $3::text, 1, $4::text, ${dueIn('$5')}, $now, $now,
      -- The sequence may be behind, as after a restore. If two inserts then get one position, one of them is retried.
      greatest(nextval('$.documents_position_seq'), 1 + coalesce((
        select position from $.documents where kind = $1::text and tenant_id = $3::text order by position desc limit 1), 0)))
    on conflict (kind, id) do nothing
    returning ${columns}`,
    { isRepeatable: false },
  );
  const ofVersion =
    'd.kind = $1::text and d.id = $2::text and d.tenant_id = $3::text and d.version = $4::bigint';
  // A repeated update or remove finds another version or no row, so it writes nothing. Reading again shows the result.
  const update = db.statement(`
    update $.documents d set version = d.version + 1, body = $5::text, due_at = ${dueIn('$6')}, updated_at = $now
    where ${ofVersion}
    returning ${columns}`);
  const remove = db.statement(`delete from $.documents d where ${ofVersion} returning ${columns}`);
  const list = db.statement(`
    select ${columns}, d.position::text as position from $.documents d
    where d.kind = $1::text and d.tenant_id = $2::text and ($3::bigint is null or d.position < $3::bigint)
    order by d.position desc limit $4::integer`);
  const listAll = db.statement(`
    select ${columns} from $.documents d
    where d.kind = $1::text and ($2::text is null or d.id > $2::text)
    order by d.id limit $3::integer`);
  const due = db.statement(
    `update $.documents d set version = d.version + 1, due_at = ${dueIn('$2')}, updated_at = $now
    where d.kind = $1::text and d.id = (
      select o.id from $.documents o where o.kind = $1::text and o.due_at <= $now
      order by o.due_at limit 1 for update skip locked
    )
    returning ${columns}`,
    { isRepeatable: false },
  );

  return {
    async get(kind, id) {
      const [row] = await db.run(get, [kind, id]);
      return { document: row!.id === null ? undefined : documentOf(row!), at: dateOf(row!.at) };
    },

    async put({ kind, id, tenantId, body, dueInMs }, version) {
      const key = [kind, id, tenantId];
      const rows =
        body === null
          ? await db.run(remove, [...key, version])
          : version === 0
            ? await db.run(create, [...key, storable(body), dueInMs])
            : await db.run(update, [...key, version, storable(body), dueInMs]);
      return rows[0] && documentOf(rows[0]);
    },

    async list(kind, tenantId, { limit, cursor }) {
      const rows =
        tenantId === undefined
          ? await db.run(listAll, [kind, cursor ?? null, limit + 1])
          : await db.run(list, [kind, tenantId, positionOf(cursor), limit + 1]);
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      const nextCursor = rows.length > limit ? (tenantId === undefined ? last!.id : last!.position) : null;
      return { items: shown.map(documentOf), nextCursor };
    },

    async due(kind, leaseMs) {
      const [row] = await db.run(due, [kind, leaseMs]);
      return row && documentOf(row);
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: a row as the client read it.
const documentOf = (row: Record<string, any>): StoredDocument => ({
  kind: row.kind,
  id: row.id,
  tenantId: row.tenant,
  version: Number(row.version),
  body: restored(row.body)!,
  dueAt: dateOrNull(row.due),
  createdAt: dateOf(row.created),
  updatedAt: dateOf(row.updated),
});

import { setTimeout } from 'node:timers/promises';
import { isPosthornError, PosthornError } from '@posthorn/core';
import type { Database } from '../client/database.js';
import { type Migration, migrations } from './migrations.js';

/** Codes of what another process made in the same instant: a schema, a table, a type, a function. */
const madeMeanwhile = new Set(['42P06', '42P07', '42710', '42723']);
/** The code of a lock that did not come in time. */
const lockTimeout = '55P03';
const none: ReadonlySet<number> = new Set();
/** With the second that each waits for a lock: so long an application's transaction may stay open in our tables. */
const halfAMinute = 30;

/**
 * Brings the schema to this version. Each migration is one statement that takes a lock: whoever comes second waits, and finds
 * it done. Migrations only add, so that processes of the version before go on while they run and after them. Where there is
 * nothing to do it only reads, so that an application needs no right to create anything. Where another session holds a
 * lock, it gives way to others every second, and tries again for half a minute: then the error names the session.
 */
export async function migrate(db: Database, schema: string, maxTries = halfAMinute): Promise<void> {
  const applied = await appliedIn(db, schema);
  for (const migration of migrations) {
    if (!applied.has(migration.number)) await apply(db, schema, migration, maxTries);
  }
}

async function apply(db: Database, schema: string, migration: Migration, maxTries: number): Promise<void> {
  const statement = db.statement(migrationText(schema, [migration]), { isUnbounded: true });
  for (let tries = 1; ; tries++) {
    try {
      await db.run(statement, []);
      return;
    } catch (error) {
      // Where transactions are repeatable, one that has waited for the lock sees the tables of before, and makes them again.
      const applied = await appliedIn(db, schema).catch(() => none);
      if (applied.has(migration.number)) return;
      const { code } = ((error as Error).cause ?? {}) as { code?: string };
      const mayTry = isPosthornError(error) && (code === lockTimeout || madeMeanwhile.has(code ?? ''));
      if (!mayTry || (tries === maxTries && code !== lockTimeout)) throw error;
      if (tries === maxTries) throw await whoHolds(db, schema, error);
      if (code === lockTimeout) await setTimeout(500 * Math.random());
    }
  }
}

/** The numbers of the migrations that the schema has. */
async function appliedIn(db: Database, schema: string): Promise<ReadonlySet<number>> {
  const table = db.statement(`select to_regclass('"${schema}".migrations')::text as name`);
  const [row] = await db.run(table, []);
  if (row!.name === null) return none;
  const applied = db.statement('select to_json(array(select number from $.migrations))::text as numbers');
  const [{ numbers } = { numbers: '[]' }] = await db.run(applied, []);
  return new Set<number>(JSON.parse(numbers));
}

/** The error that names who holds what `migrate` waits for. */
async function whoHolds(db: Database, schema: string, cause: Error): Promise<PosthornError> {
  const holders = db.statement(`
    select l.pid, coalesce(c.relname, 'the right to migrate') as what, a.application_name as app, a.state
    from pg_locks l left join pg_class c on l.locktype = 'relation' and c.oid = l.relation
    left join pg_stat_activity a on a.pid = l.pid
    where l.granted and l.pid <> pg_backend_pid()
      and l.database = (select oid from pg_database where datname = current_database())
      and (c.relnamespace = to_regnamespace('"${schema}"') or (l.locktype = 'advisory' and l.objsubid = 1
        and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('posthorn ${schema}', 0)))
    order by (a.xact_start) limit 3`);
  const rows = await db.run(holders, []).catch(() => []);
  const named = rows.map(
    ({ pid, what, app, state }) => `session ${pid} (${app || 'without a name'}, ${state}) holds ${what}`,
  );
  const told = named.length > 0 ? named.join('; ') : 'whoever held its tables is gone by now';
  return new PosthornError(
    'storage_failed',
    `schema ${schema} could not be migrated for the locks of others: ${told}; end them, and call migrate() again`,
    { cause },
  );
}

/** One `do` statement: it needs neither a session nor a transaction of its own, and goes through any pooler. */
export function migrationText(schema: string, all: readonly Migration[]): string {
  const steps = all.map(
    ({ number, name, text }) => `
  if not exists (select from "${schema}".migrations where number = ${number}) then
    execute $migration$${text.replaceAll(':"schema"', `"${schema}"`)}$migration$;
    insert into "${schema}".migrations (number, name) values (${number}, '${name}');
  end if;`,
  );
  return `do $do$
begin
  perform set_config('lock_timeout', '1s', true);
  perform pg_advisory_xact_lock(hashtextextended('posthorn ${schema}', 0));
  if current_setting('server_encoding') <> 'UTF8' then
    raise exception using errcode = 'PH002', message = 'not UTF8';
  end if;
  create schema if not exists "${schema}";
  create table if not exists "${schema}".migrations (
    number integer primary key, name text not null, applied_at timestamptz not null default now());
${steps.join('\n')}
end
$do$`;
}

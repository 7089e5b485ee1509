import { setTimeout } from 'node:timers/promises';
import { isPosthornError, PosthornError } from '@posthorn/core';
import type { Database } from '../client/database.js';
import { type Migration, migrations } from './migrations.js';

/** Error codes for an object that another process created concurrently: a schema, a table, a type or a function. */
const madeMeanwhile = new Set(['42P06', '42P07', '42710', '42723']);
/** The error code of a lock timeout. */
const lockTimeout = '55P03';
const none: ReadonlySet<number> = new Set();
/** Each try waits a second for a lock, so an open transaction may hold our tables for half a minute. */
const halfAMinute = 30;

/**
 * Migrates the schema to this version.
 * - Each migration is one statement that takes a lock. A second process waits, and finds the migration applied.
 * - Migrations only add, so that processes of the previous version keep working during and after them.
 * - If the schema is up to date it only reads, so that an application needs no privilege to create anything.
 * - If another session holds a lock, it releases its place in the queue every second, so that others can proceed, and
 *   retries for half a minute. Then the error names the session.
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
      // Under repeatable read, a transaction that waited for the lock sees the old tables, and creates them again.
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

/** Resolves to the numbers of the applied migrations. */
async function appliedIn(db: Database, schema: string): Promise<ReadonlySet<number>> {
  const table = db.statement(`select to_regclass('"${schema}".migrations')::text as name`);
  const [row] = await db.run(table, []);
  if (row!.name === null) return none;
  const applied = db.statement('select to_json(array(select number from $.migrations))::text as numbers');
  const [{ numbers } = { numbers: '[]' }] = await db.run(applied, []);
  return new Set<number>(JSON.parse(numbers));
}

/** Resolves to an error that names the sessions that hold the locks `migrate` waits for. */
async function whoHolds(db: Database, schema: string, cause: Error): Promise<PosthornError> {
  const holders = db.statement(`
    select l.pid, coalesce(c.relname, 'the migration lock') as what, a.application_name as app, a.state
    from pg_locks l left join pg_class c on l.locktype = 'relation' and c.oid = l.relation
    left join pg_stat_activity a on a.pid = l.pid
    where l.granted and l.pid <> pg_backend_pid()
      and l.database = (select oid from pg_database where datname = current_database())
      and (c.relnamespace = to_regnamespace('"${schema}"') or (l.locktype = 'advisory' and l.objsubid = 1
        and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('posthorn ${schema}', 0)))
    order by (a.xact_start) limit 3`);
  const rows = await db.run(holders, []).catch(() => []);
  const named = rows.map(
    ({ pid, what, app, state }) => `session ${pid} (${app || 'unnamed'}, ${state}) holds ${what}`,
  );
  const told = named.length > 0 ? named.join('; ') : 'the sessions that held them have ended';
  return new PosthornError(
    'storage_failed',
    `schema ${schema} cannot be migrated while other sessions hold locks: ${told}; end them and call migrate() again`,
    { cause },
  );
}

/** Returns one `do` statement, which needs no session or transaction of its own and works through any pooler. */
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

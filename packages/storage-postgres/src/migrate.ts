import { setTimeout } from 'node:timers/promises';
import { isPosthornError } from '@posthorn/core';
import type { Database } from './database.js';
import { type Migration, migrations } from './migrations.js';

/** Codes of what another process made in the same instant: a schema, a table, a type, a function. */
const madeMeanwhile = new Set(['42P06', '42P07', '42710', '42723']);
/** The code of a lock that did not come in time. */
const lockTimeout = '55P03';
/** With the second that each waits for a lock: so long an application's transaction may stay open in our tables. */
const maxTries = 30;

/**
 * Brings the schema to this version, in one statement that takes a lock: whoever comes second waits, and finds it
 * done. Migrations only add, so that processes of the version before go on while it runs and after it. Where there is
 * nothing to do it only reads, so that an application needs no right to create anything. Where a transaction holds a
 * table, it gives way to others every second, and tries again.
 */
export async function migrate(db: Database, schema: string): Promise<void> {
  const apply = db.statement(migrationText(schema, migrations));
  for (let tries = 1; !(await isMigrated(db, schema)); tries++) {
    try {
      await db.run(apply, []);
      return;
    } catch (error) {
      // Where transactions are repeatable, one that has waited for the lock sees the tables of before.
      const { code } = ((error as Error).cause ?? {}) as { code?: string };
      const mayTry = isPosthornError(error) && (code === lockTimeout || madeMeanwhile.has(code ?? ''));
      if (tries === maxTries || !mayTry) throw error;
      if (code === lockTimeout) await setTimeout(500 * Math.random());
    }
  }
}

async function isMigrated(db: Database, schema: string): Promise<boolean> {
  const table = db.statement(`select to_regclass('"${schema}".migrations')::text as name`);
  const [row] = await db.run(table, []);
  if (row!.name === null) return false;
  const applied = db.statement('select to_json(array(select number from $.migrations))::text as numbers');
  const [{ numbers } = { numbers: '[]' }] = await db.run(applied, []);
  const known = new Set<number>(JSON.parse(numbers));
  return migrations.every(({ number }) => known.has(number));
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
  perform pg_advisory_xact_lock(hashtextextended('posthorn ${schema}', 0));
  perform set_config('lock_timeout', '1s', true);
  if current_setting('server_encoding') <> 'UTF8' then
    raise exception 'Posthorn needs a database whose encoding is UTF8, not %', current_setting('server_encoding');
  end if;
  create schema if not exists "${schema}";
  create table if not exists "${schema}".migrations (
    number integer primary key, name text not null, applied_at timestamptz not null default now());
${steps.join('\n')}
end
$do$`;
}

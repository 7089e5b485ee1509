import type { Database } from './database.js';
import { type Migration, migrations } from './migrations.js';

/**
 * Brings the schema to this version, in one statement that takes a lock: whoever comes second waits, and finds it
 * done. Migrations only add, so that processes of the version before go on while it runs and after it.
 */
export async function migrate(db: Database, schema: string): Promise<void> {
  await db.run(db.statement(migrationText(schema, migrations)), []);
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

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

const reviewed = new URL('../schema.txt', import.meta.url);

describe('the migrations', () => {
  test('in the source are those of the SQL files', () => {
    const script = new URL('../../../scripts/embed-migrations.mjs', import.meta.url).pathname;
    expect(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' })).not.toThrow();
  });
});

describe.skipIf(!hasPostgres())('the schema', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
    await postgresStorage(database.pool).migrate();
  });

  test('is the one that was reviewed: run with UPDATE_SCHEMA=1 to write it again', async () => {
    const schema = await dump(database);
    if (process.env.UPDATE_SCHEMA) (await import('node:fs')).writeFileSync(reviewed, schema);
    expect(schema).toBe(readFileSync(reviewed, 'utf8'));
  });

  test('has no foreign key, which would lock rows of other tables', async () => {
    const { rows } = await database.pool.query("select 1 from pg_constraint where contype = 'f'");
    expect(rows).toEqual([]);
  });
});

/**
 * Lists tables with their columns and settings, indexes, triggers, constraints, sequences and functions: the content of
 * `pg_dump`, on any machine.
 */
async function dump({ pool }: TestDatabase): Promise<string> {
  const lines: string[] = [];
  const { rows: tables } = await pool.query(`
    select c.oid, c.relname, pg_get_partkeydef(c.oid) as partition, array_to_string(c.reloptions, ', ') as options
    from pg_class c where c.relnamespace = 'posthorn'::regnamespace and c.relkind in ('r', 'p') order by 2`);
  for (const { oid, relname, partition, options } of tables) {
    lines.push(
      `table ${relname}${partition ? ` partition by ${partition}` : ''}${options ? ` with (${options})` : ''}`,
    );
    const { rows: columns } = await pool.query(
      `select attname, format_type(atttypid, atttypmod) as type, attnotnull, attidentity,
        (select collname from pg_collation where oid = attcollation and collname <> 'default') as collation
      from pg_attribute where attrelid = $1 and attnum > 0 and not attisdropped order by attnum`,
      [oid],
    );
    for (const { attname, type, attnotnull, attidentity, collation } of columns) {
      const parts = [
        type,
        collation && `collate ${collation}`,
        attnotnull && 'not null',
        attidentity && 'identity',
      ];
      lines.push(`  ${attname} ${parts.filter(Boolean).join(' ')}`);
    }
    const { rows: indexes } = await pool.query(
      'select pg_get_indexdef(indexrelid) as text from pg_index where indrelid = $1 order by 1',
      [oid],
    );
    for (const { text } of indexes) lines.push(`  ${text}`);
    const { rows: triggers } = await pool.query(
      'select pg_get_triggerdef(oid) as text from pg_trigger where tgrelid = $1 and not tgisinternal order by tgname',
      [oid],
    );
    for (const { text } of triggers) lines.push(`  ${text}`);
  }
  const { rows: sequences } = await pool.query(
    `select sequencename, cache_size from pg_sequences where schemaname = 'posthorn' order by 1`,
  );
  for (const { sequencename, cache_size } of sequences) {
    lines.push(`sequence ${sequencename} cache ${cache_size}`);
  }
  const { rows: functions } = await pool.query(
    `select proname from pg_proc where pronamespace = 'posthorn'::regnamespace`,
  );
  for (const { proname } of functions) lines.push(`function ${proname}`);
  return `${lines.join('\n')}\n`;
}

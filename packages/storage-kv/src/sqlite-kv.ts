import { checkDatabase, type SqliteDatabase, type SqliteKvOptions } from './sqlite-database.js';
import type { KvStore } from './store.js';

/**
 * A table of keys and values in a SQLite database, whose file the processes of one machine may share. The handle must be
 * used for nothing else. Throws `invalid_option`.
 */
export function sqliteKv(
  database: SqliteDatabase,
  { synchronous = 'normal' }: SqliteKvOptions = {},
): KvStore {
  checkDatabase(database, synchronous);
  database.exec(`pragma busy_timeout = 5000; pragma journal_mode = wal; pragma synchronous = ${synchronous}`);
  database.exec(
    'create table if not exists posthorn (key text primary key, value text not null) without rowid',
  );
  const select = 'select key, value from posthorn where key >= ? and key < ? order by key';
  const forward = database.prepare(`${select} limit ?`);
  const backward = database.prepare(`${select} desc limit ?`);
  const get = database.prepare('select key, value from posthorn where key = ?');
  const set = database.prepare(
    'insert into posthorn values (?, ?) on conflict (key) do update set value = excluded.value',
  );
  const remove = database.prepare('delete from posthorn where key = ?');
  const [begin, commit] = [database.prepare('begin immediate'), database.prepare('commit')];

  return {
    async transact(run) {
      begin.run();
      try {
        const result = await run({
          get: (key) => (get.get(key) as Row | undefined)?.value,
          range: ({ from, before, limit, reverse }) =>
            ((reverse ? backward : forward).all(from, before, limit) as Row[]).map(
              ({ key, value }) => [key, value] as const,
            ),
          set: (key, value) => set.run(key, value),
          delete: (key) => remove.run(key),
        });
        commit.run();
        return result;
      } catch (error) {
        rollback(database);
        throw error;
      }
    },
    close: () => database.close(),
  };
}

type Row = { readonly key: string; readonly value: string };

function rollback(database: SqliteDatabase): void {
  try {
    database.exec('rollback');
  } catch {
    // SQLite itself has done it, or the database is closed.
  }
}

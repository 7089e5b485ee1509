import { PosthornError } from '@posthorn/core';
import type { KvRow, KvStore } from './store.js';

/** The few methods of a SQLite database that are used: `node:sqlite`, `better-sqlite3` and `libsql` have them. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): {
    get(...values: unknown[]): unknown;
    all(...values: unknown[]): unknown[];
    run(...values: unknown[]): unknown;
  };
  close(): unknown;
}

export interface SqliteKvOptions {
  /**
   * What a commit outlives: `normal` the end of the process, `full` also that of the machine, for the price of waiting for
   * the disk each time. Default `normal`.
   */
  readonly synchronous?: 'normal' | 'full';
}

/**
 * A table of keys and values in a SQLite database, which any number of processes on one machine may share. The database
 * handle is its own: nothing else may use that. Throws `invalid_option`.
 */
export function sqliteKv(
  database: SqliteDatabase,
  { synchronous = 'normal' }: SqliteKvOptions = {},
): KvStore {
  if (typeof database?.exec !== 'function' || typeof database.prepare !== 'function') {
    throw new PosthornError(
      'invalid_option',
      'database must be an open SQLite database, with exec and prepare',
    );
  }
  if (synchronous !== 'normal' && synchronous !== 'full') {
    throw new PosthornError('invalid_option', `synchronous must be 'normal' or 'full'`);
  }
  database.exec(
    `pragma busy_timeout = 10000; pragma journal_mode = wal; pragma synchronous = ${synchronous}`,
  );
  database.exec(
    'create table if not exists posthorn (key text primary key, value text not null) without rowid',
  );
  const get = database.prepare('select value from posthorn where key = ?');
  const range = (order: string) =>
    database.prepare(
      `select key, value from posthorn where key >= ? and key < ? order by key ${order} limit ?`,
    );
  const [forward, backward] = [range('asc'), range('desc')];
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
          get: (key) => (get.get(key) as { value: string } | undefined)?.value,
          range: ({ from, before, limit, reverse }) =>
            (reverse ? backward : forward)
              .all(from, before, limit)
              .map((row) => [(row as { key: string }).key, (row as { value: string }).value] satisfies KvRow),
          set: (key, value) => set.run(key, value),
          delete: (key) => remove.run(key),
        });
        commit.run();
        return result;
      } catch (error) {
        database.exec('rollback');
        throw error;
      }
    },
    close: () => database.close(),
  };
}

import { PosthornError } from '@posthorn/core';
import { describeType } from '@posthorn/core/storage';

/** The few methods of a SQLite database that are used: those of `node:sqlite`, `better-sqlite3` and `libsql` fit. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): {
    get(...values: unknown[]): unknown;
    all(...values: unknown[]): unknown[];
    run(...values: unknown[]): unknown;
  };
  close(): unknown;
}

/** Options of `sqliteKv`. */
export interface SqliteKvOptions {
  /**
   * What a commit outlives: `normal` the end of the process, however sudden; `full` also that of the machine, and waits for
   * the disk each time. Default `normal`.
   */
  readonly synchronous?: 'normal' | 'full';
}

/** Throws `invalid_option` where the arguments of `sqliteKv` are none. */
export function checkDatabase(database: SqliteDatabase, synchronous: string): void {
  for (const name of ['exec', 'prepare', 'close'] as const) {
    if (typeof database?.[name] === 'function') continue;
    const problem = `database.${name} must be a function, not ${describeType(database?.[name])}`;
    throw new PosthornError('invalid_option', `${problem}: pass an open SQLite database`);
  }
  if (synchronous !== 'normal' && synchronous !== 'full') {
    throw new PosthornError('invalid_option', "synchronous must be 'normal' or 'full'");
  }
}

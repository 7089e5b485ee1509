/*
 * The part of a Postgres client that the storage uses. A `pg` Pool has it, PGlite has it, and so does any client whose
 * `query` accepts a text with `$1` and an array of values.
 */

/** The result of a statement. The storage reads its rows by column name. */
export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: clients type rows as they please; the statements say what is in them.
  readonly rows: readonly Record<string, any>[];
}

/** The caller's open transaction: a `pg` client after `begin`, or the result of an adapter such as `fromDrizzle`. */
export interface Transaction {
  // biome-ignore lint/suspicious/noExplicitAny: `pg` itself declares its values so.
  query(text: string, values?: any[]): Promise<Answer>;
  /**
   * A `pg` client emits an error when its session ends between two statements. Without a listener, that would end the
   * process.
   */
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

/** Runs the statements that are not part of a caller's transaction. Each may use another connection. */
export interface Pool extends Transaction {
  /** A `pg` pool emits the errors of idle connections. Without a listener, they would end the process. */
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

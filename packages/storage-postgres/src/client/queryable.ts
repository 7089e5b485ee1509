/*
 * The slice of a Postgres client that the storage uses. A `pg` Pool has it, PGlite has it, and so does whatever else
 * takes a text with `$1` and its values.
 */

/** What a statement answers; the storage reads its rows by the names of their columns. */
export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: clients type rows as they please; the statements say what is in them.
  readonly rows: readonly Record<string, any>[];
}

/** The caller's open transaction: a `pg` client after `begin`, or what an adapter such as `fromDrizzle` makes of one. */
export interface Transaction {
  // biome-ignore lint/suspicious/noExplicitAny: `pg` itself declares its values so.
  query(text: string, values?: any[]): Promise<Answer>;
  /** A `pg` client announces that its session ended between two statements; unheard that would end the process. */
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

/** Where statements go that no transaction of the caller's is around: each may go over another connection. */
export interface Pool extends Transaction {
  /** A `pg` pool announces the errors of idle connections; unheard they would end the process. */
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

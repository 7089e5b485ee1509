import type { Answer, Pool, Transaction } from './queryable.js';

/* The part of `pg` that the storage uses. */

/** A statement as `pg` accepts it: with a name, if it is to be prepared. */
export interface PgQuery {
  readonly text: string;
  readonly values: unknown[];
  readonly name?: string;
}

/** The part of a pooled `pg` client that the storage uses. */
export interface PgClient extends Pick<Transaction, 'on'> {
  query(query: PgQuery): Promise<Answer>;
  /** Returns the client to the pool, which discards it if `isBroken`. */
  release(isBroken?: boolean): void;
  /** `I` between transactions, `T` in one, `E` in one that has failed; undefined in old versions. */
  getTransactionStatus?(): string | null;
  readonly processID?: number | null;
  readonly secretKey?: unknown;
  readonly host?: string;
  readonly port?: number | string;
}

/** The part of a `pg` pool that the storage uses. */
export interface PgPool extends Pool {
  connect(): Promise<PgClient>;
  readonly Client?: new (options: unknown) => unknown;
  readonly options?: unknown;
}

export const isPgPool = (pool: unknown): pool is PgPool =>
  typeof pool === 'object' &&
  pool !== null &&
  'totalCount' in pool &&
  'idleCount' in pool &&
  typeof (pool as { connect?: unknown }).connect === 'function';

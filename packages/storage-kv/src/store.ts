import { PosthornError } from '@posthorn/core';
import { describeType } from '@posthorn/core/storage';

/** A value, or a promise of it: a store that is synchronous need not make promises. */
export type Awaitable<T> = T | PromiseLike<T>;

/** Which keys a range holds: those at `from` or behind it, and before `before`. */
export interface KvRange {
  readonly from: string;
  readonly before: string;
  /** At most this many, 1 or more. */
  readonly limit: number;
  /** Whether the last keys come first. Default false. */
  readonly reverse?: boolean;
}

/** A key and its value. */
export type KvRow = readonly [key: string, value: string];

/**
 * What one transaction reads and writes. Keys are printable ASCII without spaces, at most 200 characters, so the order of
 * bytes and that of UTF-16 code units are the same. Values are well-formed strings without U+0000.
 *
 * All reads of a transaction come before its first write, and no key is written twice: a store need not show a
 * transaction its own writes, and may collect them.
 */
export interface KvTransaction {
  get(key: string): Awaitable<string | undefined>;
  /** In the order of the keys. */
  range(range: KvRange): Awaitable<readonly KvRow[]>;
  set(key: string, value: string): Awaitable<unknown>;
  /** Does nothing where there is no such key. */
  delete(key: string): Awaitable<unknown>;
}

/**
 * An ordered key-value store with transactions: all that {@link kvStorage} needs.
 */
export interface KvStore {
  /**
   * Runs `run` in a serializable transaction and commits it: its writes are there together, for everyone and after a
   * crash, or none is. Where `run` rejects, nothing is written and the same error comes out. The store may run it again
   * after a conflict. One `kvStorage` opens one transaction at a time.
   */
  transact<T>(run: (tx: KvTransaction) => Promise<T>): Promise<T>;
  /** Whether all of it is gone when the process ends, so that there is nothing to encrypt. Default false. */
  readonly isVolatile?: boolean;
  /** Closes what the store holds open. */
  close?(): Awaitable<unknown>;
}

/** Throws `invalid_option` where `store` is none. */
export function checkStore(store: KvStore): void {
  if (typeof store !== 'object' || store === null) {
    throw new PosthornError('invalid_option', `store must be an object, not ${describeType(store)}`);
  }
  if (typeof store.transact !== 'function') {
    throw new PosthornError(
      'invalid_option',
      `store.transact must be a function, not ${describeType(store.transact)}`,
    );
  }
  if (store.close !== undefined && typeof store.close !== 'function') {
    throw new PosthornError(
      'invalid_option',
      `store.close must be a function, not ${describeType(store.close)}`,
    );
  }
}

/** Throws `storage_failed` where the store hands its function something else than a transaction. */
export function checkTransaction(tx: KvTransaction): void {
  for (const name of ['get', 'range', 'set', 'delete'] as const) {
    if (typeof tx?.[name] !== 'function') {
      throw new PosthornError(
        'storage_failed',
        `the store's tx.${name} must be a function, not ${describeType(tx?.[name])}`,
      );
    }
  }
}

/** What the store gave for a key. Throws `storage_failed` where that is no string. */
export function checkValue(key: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  const remedy = value === null ? '; resolve to undefined where there is none' : '';
  throw new PosthornError(
    'storage_failed',
    `the store's value of ${key} must be a string, not ${describeType(value)}${remedy}`,
  );
}

/** The rows that the store gave for a range. Throws `storage_failed` where they break its promise. */
export function checkRows(rows: unknown, { from, before, limit, reverse }: KvRange): readonly KvRow[] {
  const fault = (what: string) =>
    new PosthornError('storage_failed', `the store's range from ${from} before ${before} ${what}`);
  if (!Array.isArray(rows)) throw fault(`must be an array, not ${describeType(rows)}`);
  if (rows.length > limit) throw fault(`must have at most ${limit} rows, not ${rows.length}`);
  let last: string | undefined;
  for (const row of rows as unknown[]) {
    const [key, value] = Array.isArray(row) ? row : [];
    if (typeof key !== 'string' || typeof value !== 'string')
      throw fault('must hold rows of [key, value], both strings');
    if (key < from || key >= before) throw fault(`holds ${key}`);
    if (last !== undefined && (reverse ? key >= last : key <= last)) throw fault(`has ${key} after ${last}`);
    last = key;
  }
  return rows;
}

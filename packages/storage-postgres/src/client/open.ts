import { PosthornError } from '@posthorn/core';
import { describeType } from '@posthorn/core/storage';
import { isPgPool } from './pg-client.js';
import type { Transaction } from './queryable.js';

/** What the caller's `tx` may have in addition to `query`. */
type Given = Partial<Transaction> & {
  /** Of a `pg` client: `I` between transactions. */
  getTransactionStatus?(): string | null;
  /** Of PGlite itself, and not of its transactions. */
  transaction?: unknown;
};

/**
 * Checks that `tx` is an open transaction, as far as that can be known. Throws `invalid_option` where it is not: what
 * is stored with it would stay, even if the caller rolls back. A recent `pg` client reports whether it is in a
 * transaction; old ones and other clients do not.
 */
export async function checkOpen(tx: Transaction): Promise<void> {
  const given = tx as Given | null | undefined;
  if (typeof given?.query !== 'function') {
    throw refusal(
      `must have query(text, values), like a pg client, not ${describeType(tx)}; fromDrizzle, fromKysely, fromKnex, fromPrisma and fromTypeorm create one`,
    );
  }
  if (isPgPool(tx)) {
    throw refusal(
      'must be the client that ran begin, not the pool: each statement of a pool runs in its own transaction',
    );
  }
  if (typeof given.transaction === 'function') {
    throw refusal('must be the argument of the callback of transaction(), not the database itself');
  }
  // A begin that has not been awaited is queued before this statement.
  if (given.getTransactionStatus?.() === 'I') await given.query('select 1');
  if (given.getTransactionStatus?.() === 'I') {
    throw refusal('is a pg client with no open transaction; run begin on it first');
  }
}

const refusal = (message: string): PosthornError => new PosthornError('invalid_option', `tx ${message}`);

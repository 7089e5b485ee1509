import { kindOf, PosthornError } from '@posthorn/core';
import { isPgPool } from './pg-client.js';
import type { Transaction } from './queryable.js';

/** What the caller's `tx` may be besides what has `query`. */
type Given = Partial<Transaction> & {
  /** Of a `pg` client: `I` between transactions. */
  getTransactionStatus?(): string | null;
  /** Of PGlite itself, not of its transactions. */
  transaction?: unknown;
};

/**
 * Throws `invalid_option` for what is no open transaction, as far as that can be known: what is stored by it would be there
 * whatever becomes of the caller's work. A recent `pg` client says whether it is in one; of an old one, and of
 * clients of other makes, nobody can know.
 */
export async function checkOpen(tx: Transaction): Promise<void> {
  const given = tx as Given | null | undefined;
  if (typeof given?.query !== 'function') {
    throw refusal(
      `must have query(text, values), as a pg client has, not ${kindOf(tx)}; fromDrizzle, fromKysely, fromKnex, fromPrisma and fromTypeorm make one`,
    );
  }
  if (isPgPool(tx)) {
    throw refusal(
      'must be the client that ran begin, not the pool: each statement of a pool has its own transaction',
    );
  }
  if (typeof given.transaction === 'function') {
    throw refusal('must be what the callback of transaction() gets, not the database itself');
  }
  // A begin that nobody has waited for yet stands before whatever comes now.
  if (given.getTransactionStatus?.() === 'I') await given.query('select 1');
  if (given.getTransactionStatus?.() === 'I') {
    throw refusal('is a pg client with no open transaction; run begin on it first');
  }
}

const refusal = (message: string): PosthornError => new PosthornError('invalid_option', `tx ${message}`);

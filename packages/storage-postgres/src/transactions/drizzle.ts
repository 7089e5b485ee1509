import type { Answer, Transaction } from '../client/queryable.js';
import { checkMethod, checkTransaction } from './foreign.js';

/** The internals of a Drizzle transaction on Postgres: its session runs SQL with values, as its query builders do. */
interface DrizzleSession {
  prepareQuery(
    query: { sql: string; params: unknown[] },
    fields: undefined,
    name: undefined,
    isResponseInArrayMode: boolean,
  ): { execute(): Promise<unknown> };
}

/** Adapts the `tx` of `db.transaction(async (tx) => …)` of drizzle-orm (node-postgres, PGlite, postgres-js). */
export function fromDrizzle(tx: object): Transaction {
  const session = (tx as { session?: DrizzleSession } | null)?.session;
  checkMethod('fromDrizzle', tx, typeof session?.prepareQuery === 'function', "Drizzle's transaction");
  // Only a transaction has `rollback`.
  const isOpen = typeof (tx as { rollback?: unknown }).rollback === 'function';
  checkTransaction('fromDrizzle', isOpen, 'the tx of db.transaction()');
  return {
    async query(text, values = []) {
      const query = session!.prepareQuery({ sql: text, params: values }, undefined, undefined, false);
      const answer = await query.execute();
      // postgres-js returns the rows themselves.
      return Array.isArray(answer) ? { rows: answer } : (answer as Answer);
    },
  };
}

import type { Answer, Transaction } from '../client/queryable.js';
import { checkMethod, checkTransaction } from './foreign.js';

interface KyselyTransaction {
  readonly isTransaction?: boolean;
  withoutPlugins(): { executeQuery(query: never): Promise<unknown> };
}

/**
 * Adapts the `trx` of `db.transaction().execute(async (trx) => …)` of kysely. Its plugins do not see the storage's
 * rows.
 */
export function fromKysely(trx: KyselyTransaction): Transaction {
  checkMethod('fromKysely', trx, typeof trx?.withoutPlugins === 'function', "Kysely's transaction");
  checkTransaction('fromKysely', trx.isTransaction === true, 'the trx of db.transaction()');
  const plain = trx.withoutPlugins();
  return {
    async query(text, values = []) {
      const query = {
        sql: text,
        parameters: values,
        query: { kind: 'RawNode', sqlFragments: [text], parameters: [] },
        queryId: { queryId: crypto.randomUUID() },
      };
      return (await plain.executeQuery(query as never)) as Answer;
    },
  };
}

import type { Answer, Transaction } from '../client/queryable.js';
import { checkMethod, checkTransaction } from './foreign.js';

interface KnexTransaction {
  readonly isTransaction?: boolean;
  isCompleted?(): boolean;
  // biome-ignore lint/suspicious/noExplicitAny: Knex declares its bindings as types of its own.
  raw(text: string, bindings: any): PromiseLike<any>;
}

/** Adapts the `trx` of `knex.transaction(async (trx) => …)` with the client `pg`. */
export function fromKnex(trx: KnexTransaction): Transaction {
  checkMethod('fromKnex', trx, typeof trx?.raw === 'function', "Knex's transaction");
  const isOpen = trx.isTransaction === true && trx.isCompleted?.() !== true;
  checkTransaction('fromKnex', isOpen, 'the trx of knex.transaction()');
  return {
    async query(text, values = []) {
      // Knex has placeholders without numbers: one value for each, in order.
      const bindings: unknown[] = [];
      const asked = text.replace(/\$(\d+)/g, (_, number) => {
        bindings.push(values[Number(number) - 1]);
        return '?';
      });
      // An application may have told Knex to return only the rows.
      const answer = await trx.raw(asked, bindings);
      return Array.isArray(answer) ? { rows: answer } : (answer as Answer);
    },
  };
}

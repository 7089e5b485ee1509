import type { Transaction } from '../client/queryable.js';
import { checkMethod, checkTransaction } from './foreign.js';

interface TypeormManager {
  readonly queryRunner?: { readonly isTransactionActive?: boolean } | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: TypeORM declares its parameters so.
  query(text: string, parameters?: any[]): Promise<unknown>;
}

/** Adapts the `manager` of `dataSource.transaction(async (manager) => …)` of typeorm. */
export function fromTypeorm(manager: TypeormManager): Transaction {
  checkMethod('fromTypeorm', manager, typeof manager?.query === 'function', "TypeORM's entity manager");
  const isOpen = manager.queryRunner?.isTransactionActive === true;
  checkTransaction('fromTypeorm', isOpen, 'the manager of dataSource.transaction()');
  return {
    async query(text, values = []) {
      const rows = await manager.query(text, values);
      return { rows: Array.isArray(rows) ? rows : [] };
    },
  };
}

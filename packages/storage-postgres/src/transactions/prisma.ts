import type { Transaction } from '../client/queryable.js';
import { checkMethod, checkTransaction } from './foreign.js';

interface PrismaTransaction {
  // biome-ignore lint/suspicious/noExplicitAny: Prisma declares its values so.
  $queryRawUnsafe(text: string, ...values: any[]): PromiseLike<unknown>;
}

/**
 * Adapts the `tx` of `prisma.$transaction(async (tx) => …)`. Values are passed only as parameters (`$n`), never within
 * the text.
 */
export function fromPrisma(tx: PrismaTransaction): Transaction {
  checkMethod(
    'fromPrisma',
    tx,
    typeof tx?.$queryRawUnsafe === 'function',
    "Prisma's interactive transaction",
  );
  // Prisma's client has methods that its transactions lack.
  const isOpen = typeof (tx as { $connect?: unknown }).$connect !== 'function';
  checkTransaction('fromPrisma', isOpen, 'the tx of prisma.$transaction()');
  return {
    async query(text, values = []) {
      const rows = await tx.$queryRawUnsafe(text, ...values);
      return { rows: Array.isArray(rows) ? rows : [] };
    },
  };
}

import type { Transaction } from '../queryable.js';
import { checkMethod } from './foreign.js';

interface PrismaTransaction {
  // biome-ignore lint/suspicious/noExplicitAny: Prisma declares its values so.
  $queryRawUnsafe(text: string, ...values: any[]): PromiseLike<unknown>;
}

/** Takes the `tx` of `prisma.$transaction(async (tx) => …)`. Our statements hold no value of anybody's, but as `$n`. */
export function fromPrisma(tx: PrismaTransaction): Transaction {
  checkMethod(
    'fromPrisma',
    tx,
    typeof tx?.$queryRawUnsafe === 'function',
    "Prisma's interactive transaction",
  );
  return {
    async query(text, values = []) {
      const rows = await tx.$queryRawUnsafe(text, ...values);
      return { rows: Array.isArray(rows) ? rows : [] };
    },
  };
}

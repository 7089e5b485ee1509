import { PosthornError } from '@posthorn/core';
import { describeType } from '@posthorn/core/storage';

/** Throws `invalid_option` where `tx` lacks the method with which its library runs SQL. */
export function checkMethod(adapter: string, tx: unknown, has: boolean, what: string): void {
  if (!has) throw new PosthornError('invalid_option', `${adapter} takes ${what}, not ${describeType(tx)}`);
}

/**
 * Throws `invalid_option` where `tx` is the library's database instead of a transaction, or a transaction that has
 * ended.
 */
export function checkTransaction(adapter: string, isOpen: boolean, what: string): void {
  if (isOpen) return;
  const remedy = 'what is stored with it would stay, even if you roll back';
  throw new PosthornError('invalid_option', `${adapter} takes ${what} while it is open: ${remedy}`);
}

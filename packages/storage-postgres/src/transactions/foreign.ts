import { kindOf, PosthornError } from '@posthorn/core';

/** Throws `invalid_option` where `tx` lacks the method by which its library runs SQL. */
export function checkMethod(adapter: string, tx: unknown, has: boolean, what: string): void {
  if (!has) throw new PosthornError('invalid_option', `${adapter} takes ${what}, not ${kindOf(tx)}`);
}

/** Throws `invalid_option` where `tx` is the library's database and not a transaction of it, or one that is over. */
export function checkTransaction(adapter: string, isOpen: boolean, what: string): void {
  if (isOpen) return;
  const remedy = 'what is stored with it would stay, whatever becomes of your work';
  throw new PosthornError(
    'invalid_option',
    `${adapter} takes ${what} while it is open, and no other: ${remedy}`,
  );
}

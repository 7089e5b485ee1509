import { kindOf, PosthornError } from '@posthorn/core';

/** Throws `invalid_option` where `tx` lacks the method by which its library runs SQL. */
export function checkMethod(adapter: string, tx: unknown, has: boolean, what: string): void {
  if (!has) throw new PosthornError('invalid_option', `${adapter} takes ${what}, not ${kindOf(tx)}`);
}

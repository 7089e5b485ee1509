import { PosthornError } from '@posthorn/core';

/** The types rule out a `tx`, JavaScript does not: what was written outside of it would outlive its rollback. */
export function refuseTransaction(options: { readonly tx?: unknown } = {}): void {
  if (options.tx !== undefined) {
    throw new PosthornError('invalid_option', 'tx: the memory storage has no transactions');
  }
}

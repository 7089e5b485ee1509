import { PosthornError } from '@posthorn/core';

/** Throws `invalid_option` unless `value` is a whole number in [min, max]. */
export function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return;
  throw invalid(`${name} must be a whole number from ${min} to ${max}`);
}

/** Creates the error of an invalid option. Never quotes the value, which may be secret. */
export const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

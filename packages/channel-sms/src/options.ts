import { PosthornError } from '@posthorn/core';

/** Throws `invalid_option` where `value` is no whole number within the bounds. */
export function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return;
  throw invalid(`${name} must be a whole number from ${min} to ${max}`);
}

/** An option that cannot be used. Never quotes its value: it may be secret. */
export const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

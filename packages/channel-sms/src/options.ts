import { kindOf, PosthornError } from '@posthorn/core';
import { createOutbound, type Outbound, type OutboundOptions } from '@posthorn/outbound';

/**
 * Throws `invalid_option` where `options` are no object, lack a `required` one, or hold one that nobody knows: it would
 * do nothing.
 */
export function checkNames(
  factory: string,
  options: unknown,
  required: readonly string[],
  optional: readonly string[],
): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid(`${factory} takes an object of options, not ${kindOf(options)}`);
  }
  const known = [...required, ...optional];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw invalid(`no option of ${factory} is called ${unknown}; there is ${known.join(', ')}`);
  }
  const missing = required.find((name) => (options as Record<string, unknown>)[name] === undefined);
  if (missing !== undefined) throw invalid(`${factory} needs the option ${missing}`);
}

/** Throws `invalid_option` where `value` is no whole number within the bounds. */
export function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return;
  throw invalid(`${name} must be a whole number from ${min} to ${max}`);
}

/** The client that `outbound` is, or one made of it. Throws `invalid_option`. */
export function outboundOf(outbound: Outbound | OutboundOptions = {}): Outbound {
  if (typeof outbound !== 'object' || outbound === null) {
    throw invalid(`outbound must be an Outbound or its options, not ${kindOf(outbound)}`);
  }
  return 'request' in outbound ? outbound : createOutbound(outbound);
}

/** An option that cannot be used. Never quotes its value: it may be secret. */
export const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

import { z } from 'zod';

/*
 * What a body may choose from, refused in the words of everything else.
 */

/** A whole number of this range. */
export function wholeFrom(min: number, max: number): z.ZodType<number, number> {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** One of these texts. */
export const oneOf = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

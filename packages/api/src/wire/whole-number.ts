import { z } from 'zod';

/** A whole number in [min, max]. */
export function wholeFrom(min: number, max: number): z.ZodType<number, number> {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

import { z } from 'zod';
import { checked } from './checked.js';
import { invalid } from './refusal.js';
import { instantText } from './wire/instant.js';

/*
 * Query parameters are text. These schemas parse them.
 */

/** A whole number in digits, and nothing else: neither `1e3` nor ` 7`. */
export const wholeNumber = (min: number, max: number): z.ZodType<number, string> =>
  z
    .string()
    .regex(/^\d{1,15}$/, { error: `must be a whole number from ${min} to ${max}` })
    .transform(Number)
    .refine((value) => value >= min && value <= max, {
      error: `must be a whole number from ${min} to ${max}`,
    })
    .meta({ query: { type: 'integer', minimum: min, maximum: max } });

/** `true` or `false`, in any case, or `1` or `0`. */
export const flag: z.ZodType<boolean, string> = z
  .string()
  .regex(/^(?:true|false|1|0)$/i, { error: 'must be true or false' })
  .transform((text) => /^(?:true|1)$/i.test(text))
  .meta({ query: { type: 'boolean' } });

const instant: z.ZodType<Date, string> = instantText
  .transform((text) => new Date(text))
  .meta({ query: { type: 'string', format: 'date-time' } });

/** Parses the query by `schema`. Refuses invalid values, unknown parameters and duplicates (422). */
export function readQuery<Schema extends z.ZodType>(
  schema: Schema,
  params: URLSearchParams,
): z.output<Schema> {
  const given: Record<string, string> = Object.create(null);
  for (const [name, value] of params) {
    if (name in given) {
      throw invalid([{ loc: ['query', name], msg: 'must be given only once', type: 'value_error' }]);
    }
    given[name] = value;
  }
  return checked(schema, given, 'query');
}

/** A time range of dispatched events. */
export const range = {
  from: instant.optional().meta({ description: 'Only events dispatched at this instant or later' }),
  to: instant.optional().meta({ description: 'Only events dispatched before this instant' }),
};

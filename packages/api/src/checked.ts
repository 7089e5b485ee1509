import type { z } from 'zod';
import { type Detail, invalid } from './refusal.js';

/** Enough to mend a request by; a hostile one could have millions. */
const maxDetails = 50;

/** `value` as `schema` has it; else refuses with each place that is wrong, below `place`. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  place: 'body' | 'query',
): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) {
    // JSON.parse makes a field of this name, and zod passes over it.
    if (!Object.hasOwn(Object(value), '__proto__')) return result.data;
    throw invalid([{ loc: [place, '__proto__'], msg: 'no such field', type: 'extra_forbidden' }]);
  }
  throw invalid(result.error.issues.flatMap((issue) => detailsOf(issue, place)).slice(0, maxDetails));
}

function detailsOf(issue: z.core.$ZodIssue, place: string): Detail[] {
  const loc = [place, ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key))];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ loc: [...loc, key], msg: 'no such field', type: 'extra_forbidden' }));
  }
  const isMissing = issue.code === 'invalid_type' && issue.input === undefined;
  if (isMissing) return [{ loc, msg: 'is required', type: 'missing' }];
  return [{ loc, msg: issue.message, type: issue.code === 'custom' ? 'value_error' : issue.code }];
}

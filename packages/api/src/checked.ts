import { zodErrorMap } from '@posthorn/core/schemas';
import type { z } from 'zod';
import { type Detail, invalid } from './refusal.js';

/** Enough to fix a request; a hostile request could have millions. */
const maxDetails = 50;

/** Returns `value` parsed by `schema`. Otherwise refuses with 422 and every place that is wrong, below `place`. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  place: 'body' | 'query',
): z.output<Schema> {
  const polluting = fieldProto(value, []);
  if (polluting)
    throw invalid([{ loc: [place, ...polluting], msg: 'no such field', type: 'extra_forbidden' }]);
  const result = schema.safeParse(value, { reportInput: true, error: zodErrorMap });
  if (result.success) return result.data;
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

/** Fields whose content belongs to the application: it may use any names inside. */
const free: ReadonlySet<unknown> = new Set(['metadata', 'cache_scope']);

/** The path to a field called `__proto__`. JSON.parse creates such a field, and zod ignores it. */
function fieldProto(
  value: unknown,
  path: readonly (string | number)[],
): readonly (string | number)[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, '__proto__')) return [...path, '__proto__'];
  for (const [key, inner] of Object.entries(value)) {
    if (path.length === 0 && free.has(key)) continue;
    const found = fieldProto(inner, [...path, Array.isArray(value) ? Number(key) : key]);
    if (found) return found;
  }
  return undefined;
}

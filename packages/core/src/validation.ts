import type { z } from 'zod';
import { describeIssues, describeType, PosthornError } from './errors.js';
import { tenantIdSchema } from './models/fields.js';

/*
 * Checks of values from the application. Each value is checked once, where it enters; after that its type holds.
 */

const names: Readonly<Record<string, string>> = {
  array: 'an array',
  boolean: 'true or false',
  date: 'a Date',
  int: 'a whole number',
  object: 'an object',
  record: 'an object',
};

/**
 * Words zod's default messages in the style of this library: what was expected, and the type of the value that came.
 */
export const zodErrorMap: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${names[issue.expected] ?? `a ${issue.expected}`}, not ${Number.isNaN(issue.input) ? 'NaN' : describeType(issue.input)}`;
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `must ${issue.origin === 'array' ? 'hold' : 'be'} at least ${issue.minimum}`;
    case 'too_big':
      return `must ${issue.origin === 'array' ? 'hold' : 'be'} at most ${issue.maximum}`;
    default:
      return undefined;
  }
};

/**
 * Parses `value` with `schema`. Throws a {@link PosthornError} whose `issues` name each wrong field; `what` names the
 * value.
 */
export function parse<T>(
  schema: z.ZodType<T>,
  value: unknown,
  code: 'invalid_webhook' | 'invalid_option',
  what: string,
): T {
  const result = schema.safeParse(value, { error: zodErrorMap });
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap((issue) => {
    const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
    return issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...path, key], message: 'unknown field' }))
      : [{ path, message: issue.message }];
  });
  throw new PosthornError(code, `invalid ${what}: ${describeIssues(issues)}`, { issues });
}

/**
 * Returns a copy of `options` without a prototype, so that a polluted `Object.prototype` adds no option. Every call
 * that takes options uses it. Throws `invalid_option` for:
 * - a value that is not an object,
 * - an unknown name: a misspelt option would have no effect,
 * - an invalid `tenantId`.
 */
export function parseOptions<Options extends object>(
  options: Options | undefined,
  known: readonly (keyof Options & string)[],
  what: string,
): Options | Record<string, never> {
  if (options === undefined) return Object.create(null);
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new PosthornError(
      'invalid_option',
      `options of ${what} must be an object, not ${describeType(options)}`,
    );
  }
  const unknown = Object.keys(options).find((name) => !(known as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new PosthornError(
      'invalid_option',
      `unknown option ${unknown} of ${what}: use ${known.join(', ')}`,
    );
  }
  const own: Options = { __proto__: null, ...options };
  if ('tenantId' in own) checkTenant(own.tenantId, what);
  return own;
}

/**
 * Throws `invalid_option` for anything but undefined or a tenant id. Null must never stand for the default tenant: it
 * may come from a lookup that found no tenant.
 */
export function checkTenant(tenantId: unknown, what: string): void {
  if (tenantId !== undefined) {
    parse(tenantIdSchema, tenantId, 'invalid_option', `tenantId of ${what}`);
  }
}

/**
 * Returns a copy of `fields` without those that are undefined, and without a prototype, so that pollution adds nothing.
 */
export function omitUndefined<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  const own = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.assign(Object.create(null), Object.fromEntries(own));
}

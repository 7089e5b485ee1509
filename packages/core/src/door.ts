import type { z } from 'zod';
import { describeIssues, kindOf, PosthornError } from './errors.js';
import { tenantIdSchema } from './models/fields.js';

/*
 * What comes in from the application is checked here, once: from then on types are true.
 */

const names: Readonly<Record<string, string>> = {
  array: 'an array',
  boolean: 'true or false',
  date: 'a Date',
  int: 'a whole number',
  object: 'an object',
  record: 'an object',
};

/** What zod says in its own words where a schema has none, in ours: what would be right, and what kind of value came. */
export const inWords: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${names[issue.expected] ?? `a ${issue.expected}`}, not ${Number.isNaN(issue.input) ? 'NaN' : kindOf(issue.input)}`;
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

/** `value` as `schema` has it, or a {@link PosthornError} that names each wrong field of `what`. */
export function parse<T>(
  schema: z.ZodType<T>,
  value: unknown,
  code: 'invalid_webhook' | 'invalid_option',
  what: string,
): T {
  const result = schema.safeParse(value, { error: inWords });
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap((issue) => {
    const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
    return issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...path, key], message: 'is no field of it' }))
      : [{ path, message: issue.message }];
  });
  throw new PosthornError(code, `invalid ${what}: ${describeIssues(issues)}`, { issues });
}

/**
 * A copy of `options`, or of none, with the caller's own alone: what a polluted `Object.prototype` holds is no option.
 * Throws `invalid_option` for what is no object, for a name that nobody knows, which would do nothing, and for a `tenantId`
 * that is none: each call that takes one comes through here.
 */
export function optionsOf<Options extends object>(
  options: Options | undefined,
  known: readonly (keyof Options & string)[],
  what: string,
): Options | Record<string, never> {
  if (options === undefined) return Object.create(null);
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new PosthornError('invalid_option', `options of ${what} must be an object, not ${kindOf(options)}`);
  }
  const unknown = Object.keys(options).find((name) => !(known as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new PosthornError(
      'invalid_option',
      `no option is called ${unknown} in ${what}; there is ${known.join(', ')}`,
    );
  }
  const own: Options = { __proto__: null, ...options };
  if ('tenantId' in own) checkTenant(own.tenantId, what);
  return own;
}

/**
 * Throws `invalid_option` for anything but undefined or a tenant's id. Null, say, comes from a look-up that found nobody:
 * it must never stand for the default tenant.
 */
export function checkTenant(tenantId: unknown, what: string): void {
  if (tenantId !== undefined) {
    parse(tenantIdSchema, tenantId, 'invalid_option', `tenantId of ${what}`);
  }
}

/** Those of `fields` that are given, and nothing of a polluted `Object.prototype`: so they can be handed on. */
export function givenOf<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  const own = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.assign(Object.create(null), Object.fromEntries(own));
}

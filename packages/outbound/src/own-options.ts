import { kindOf, PosthornError } from '@posthorn/core';

/**
 * A copy of `options` with the caller's own fields alone: what a polluted `Object.prototype` holds opens nothing.
 * Throws `invalid_option` for what is no object, and for a field that is not `known`: it would do nothing.
 */
export function ownOptions<Options extends object>(
  options: Options,
  known: readonly (keyof Options & string)[],
  what: string,
): Options {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new PosthornError('invalid_option', `${what} must be an object, not ${kindOf(options)}`);
  }
  const stranger = Object.keys(options).find((name) => !(known as readonly string[]).includes(name));
  if (stranger !== undefined) {
    throw new PosthornError(
      'invalid_option',
      `${what}: there is no ${stranger}; there are ${known.join(', ')}`,
    );
  }
  return { __proto__: null, ...options };
}

import { PosthornError } from '@posthorn/core';
import { describeType } from '@posthorn/core/channel';

/**
 * Copies the caller's own fields of `options`, so that a polluted `Object.prototype` cannot weaken the policy. Throws
 * `invalid_option` if `options` is not an object, and for a field that is not in `known`, which would have no effect.
 */
export function ownOptions<Options extends object>(
  options: Options,
  known: readonly (keyof Options & string)[],
  what: string,
): Options {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new PosthornError('invalid_option', `${what} must be an object, not ${describeType(options)}`);
  }
  const unknown = Object.keys(options).find((name) => !(known as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new PosthornError(
      'invalid_option',
      `${what}: unknown field ${unknown}; the fields are ${known.join(', ')}`,
    );
  }
  return { __proto__: null, ...options };
}

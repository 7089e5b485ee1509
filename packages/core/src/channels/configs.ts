import { z } from 'zod';
import { isPosthornError } from '../errors.js';

/**
 * A schema for the configs of a channel: an object of the fields in `shape`, and of no others. Each issue stands at its
 * field, unknown ones and `__proto__` included, so that a typo is refused and not ignored. `channel` is named in it.
 */
export function configsSchema<Shape extends z.ZodRawShape>(
  channel: string,
  shape: Shape,
): z.ZodType<z.output<z.ZodObject<Shape>>> {
  const noField = `is no field of ${/^[aeiou]/.test(channel) ? 'an' : 'a'} ${channel} channel`;
  const fields = z
    .object(shape, { error: 'must be an object' })
    .catchall(z.custom<never>(() => false, { error: noField }));
  // JSON.parse makes a field of this name, and zod passes over it.
  const noProto = z.unknown().refine((configs) => !Object.hasOwn(Object(configs), '__proto__'), {
    error: noField,
    path: ['__proto__'],
  });
  return noProto.pipe(fields) as unknown as z.ZodType<z.output<z.ZodObject<Shape>>>;
}

/**
 * A schema for a text that `check` judges: an address, a template. What it throws, at once or later, are the issues of
 * the field: those of a {@link PosthornError}, each at its place below it, else its message.
 */
export function checkedText(check: (text: string) => unknown): z.ZodType<string> {
  return z.string({ error: 'must be a string' }).superRefine(async (text, context) => {
    try {
      await check(text);
    } catch (error) {
      if (!isPosthornError(error)) throw error;
      const { issues, message } = error;
      for (const { path, message } of issues) context.addIssue({ code: 'custom', path: [...path], message });
      if (issues.length === 0) context.addIssue({ code: 'custom', message });
    }
  });
}

import { z } from 'zod';
import { isPosthornError } from '../errors.js';

/**
 * Creates a schema for the configs of a channel: an object of the fields in `shape` and no others. An unknown field, or
 * `__proto__`, is an issue at its path that names `channel`, so that a typo is refused and not ignored.
 */
export function configsSchema<Shape extends z.ZodRawShape>(
  channel: string,
  shape: Shape,
): z.ZodType<z.output<z.ZodObject<Shape>>, z.input<z.ZodObject<Shape>>> {
  const noField = `is no field of ${/^[aeiou]/.test(channel) ? 'an' : 'a'} ${channel} channel`;
  const fields = z
    .object(shape, { error: 'must be an object' })
    .catchall(z.custom<never>(() => false, { error: noField }));
  // JSON.parse creates a field of this name, and zod ignores it.
  const noProto = z.unknown().refine((configs) => !Object.hasOwn(Object(configs), '__proto__'), {
    error: noField,
    path: ['__proto__'],
  });
  return noProto.pipe(fields) as unknown as ReturnType<typeof configsSchema<Shape>>;
}

/**
 * Creates a schema for text that `check` accepts: an address, a template. An error that `check` throws, or rejects with,
 * becomes the issues of the field: those of a {@link PosthornError}, each at its path below the field, or else its message.
 */
export function checkedText(check: (text: string) => unknown): z.ZodType<string, string> {
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

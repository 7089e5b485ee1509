import { z } from 'zod';

const error = 'must be an ISO 8601 date and time with a time zone, in the years 1970 to 9999 in UTC';
const last = Date.parse('9999-12-31T23:59:59.999Z');

/** An instant as clients send it, as text. */
export const instantText: z.ZodType<string, string> = z.iso
  .datetime({ offset: true, abort: true, error })
  .refine((text) => Date.parse(text) >= 0 && Date.parse(text) <= last, { error });

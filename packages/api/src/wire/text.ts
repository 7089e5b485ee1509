import { eventSchema, nameSchema, webhookInputSchema } from '@posthorn/core/schemas';
import type { z } from 'zod';

/*
 * Text schemas that core validates by functions. JSON Schema cannot express those, so each gets a pattern here.
 */

const segment = '[A-Za-z0-9_-]+';
const segmentOrStar = `(${segment}|\\*)`;

/** A text schema of core, without control characters, with these rules in the document. */
export const plainText = (text: z.ZodType<string, string>, maxLength: number): z.ZodType<string, string> =>
  text.meta({ minLength: 1, maxLength, pattern: '^[^\\p{Cc}\\p{Cs}]+$' });

/** The name of something, for people. */
export const nameText: z.ZodType<string, string> = plainText(nameSchema, 200);

export const eventTypeText: z.ZodType<string, string> = eventSchema.shape.type.meta({
  maxLength: 128,
  pattern: `^${segment}(\\.${segment}){0,5}$`,
});

/** An event type, or a pattern that covers several. */
export const patternText: z.ZodType<string, string> = webhookInputSchema.shape.eventTypes.element.meta({
  maxLength: 128,
  pattern: `^${segmentOrStar}(\\.${segmentOrStar}){0,5}$`,
});

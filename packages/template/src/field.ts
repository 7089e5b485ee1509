import { isPosthornError } from '@posthorn/core';
import { z } from 'zod';
import type { Place } from './place.js';
import { parseTemplate } from './template.js';

/** For schemas of configs: a text that is a template for its place; an issue says at which line and column it is not. */
export function templateField(place: Place): z.ZodType<string> {
  return z.string({ error: 'must be a string' }).superRefine((source, context) => {
    try {
      parseTemplate(source, place);
    } catch (error) {
      if (!isPosthornError(error)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });
}

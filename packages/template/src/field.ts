import { checkedText } from '@posthorn/core';
import type { z } from 'zod';
import type { Place } from './place.js';
import { parseTemplate } from './template.js';

/** For schemas of configs: a text that is a template for its place; an issue says at which line and column it is not. */
export const templateField = (place: Place): z.ZodType<string> =>
  checkedText((source) => parseTemplate(source, place));

import { checkedText } from '@posthorn/core/channel';
import type { z } from 'zod';
import type { Place } from './place.js';
import { parseTemplate } from './template.js';

/** A schema for configs: text that is a valid template for the place. Issues contain line and column. */
export const templateField = (place: Place): z.ZodType<string, string> =>
  checkedText((source) => parseTemplate(source, place));

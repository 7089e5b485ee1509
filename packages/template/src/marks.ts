import { escaperFor } from './escaper.js';
import type { Place } from './place.js';

/*
 * Between rendering and escaping, values stand in the text between two marks: what becomes of each is decided when all
 * of the text around it is known. The marks are noncharacters (Unicode §23.7), which no text holds that is exchanged.
 */

const value = /\ufdd0([^\ufdd0\ufdd1]*)\ufdd1/;
const held = /[\ufdd0-\ufdd2]/g;

/** A value as it stands in a rendered text. */
export const marked = (text: string): string =>
  `\ufdd0${text.replace(held, (one) => `\ufdd2${one.charCodeAt(0) - 0xfdd0}`)}\ufdd1`;

const restored = (text: string): string =>
  text.replace(/\ufdd2([012])/g, (_, which) => String.fromCharCode(0xfdd0 + Number(which)));

/** A rendered text as it is shown in its place: the values in it escaped, each once. */
export function placed(text: string, place: Place): string {
  const { own, value: escaped } = escaperFor(place);
  return text
    .split(value)
    .map((part, i) => {
      if (i % 2 === 1) return escaped(restored(part));
      own(part);
      return part;
    })
    .join('');
}

/** A rendered text as it is, its values unescaped. */
export const unmarked = (text: string): string => placed(text, 'plain');

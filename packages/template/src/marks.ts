import { escaperFor } from './escaper.js';
import type { Place } from './place.js';

/*
 * Between rendering and escaping, each value is enclosed in two marks. It is escaped once all text around it is known.
 * The marks are noncharacters (Unicode §23.7), which do not occur in exchanged text.
 */

const value = /\ufdd0([^\ufdd0\ufdd1]*)\ufdd1/;
const held = /[\ufdd0-\ufdd2]/g;

/** Encloses a value in marks. */
export const marked = (text: string): string =>
  `\ufdd0${text.replace(held, (one) => `\ufdd2${one.charCodeAt(0) - 0xfdd0}`)}\ufdd1`;

const restored = (text: string): string =>
  text.replace(/\ufdd2([012])/g, (_, which) => String.fromCharCode(0xfdd0 + Number(which)));

/** Escapes the marked values of a rendered text for a place, each once, and removes the marks. */
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

/** Removes the marks without escaping the values. */
export const unmarked = (text: string): string => placed(text, 'plain');

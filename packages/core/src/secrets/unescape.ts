/*
 * Receivers that echo a text in JSON, in a URL or in HTML escape some of its characters, and every library escapes
 * different ones. Unescaping makes all these forms equal.
 */

/** One form in which a text is searched. */
export interface Reading {
  readonly text: string;
  /** Maps an index in `text` to the original: the end of `text` to its end. */
  placeOf(at: number): number;
}

/** Escapes of JSON, of URLs and of HTML, in this order. */
const escapes =
  /\\(?:u([0-9a-f]{4})|(["'\\/bfnrt]))|%([0-9a-f]{2})|&(?:#([0-9]{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos));/gi;

/** The beginning of an escape at the end of a truncated text. */
const cutEscape = /(?:\\(?:u[0-9a-f]{0,3})?|%[0-9a-f]?|&#?[0-9a-z]{0,7})$/i;

const named: Readonly<Record<string, string>> = {
  ...{ b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' },
  ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" },
};

/** Whether the text may contain escapes. Most texts do not. */
export const mayHoldEscapes = (text: string): boolean =>
  text.includes('\\') || text.includes('%') || text.includes('&');

/** Resolves the escapes in `text`. */
export const decodeEscapes = (text: string): string => read(text).plain;

/** Returns the text as it is, and unescaped where that may differ. */
export function readings(text: string): readonly Reading[] {
  const asIs: Reading = { text, placeOf: (at) => at };
  if (!mayHoldEscapes(text)) return [asIs];
  const { plain, escaped } = read(text.replace(cutEscape, ''));
  return [asIs, { text: plain, placeOf: (at) => (at === plain.length ? text.length : placeIn(escaped, at)) }];
}

/** An escape: its range in the unescaped text, and its range in the original. */
interface Escape {
  readonly plainAt: number;
  readonly plainEnd: number;
  readonly at: number;
  readonly end: number;
}

function read(text: string): { plain: string; escaped: readonly Escape[] } {
  const escaped: Escape[] = [];
  let plain = '';
  let end = 0;
  for (const found of text.matchAll(escapes)) {
    const at = found.index;
    plain += text.slice(end, at);
    const plainAt = plain.length;
    plain += meaning(found);
    end = at + found[0].length;
    escaped.push({ plainAt, plainEnd: plain.length, at, end });
  }
  return { plain: plain + text.slice(end), escaped };
}

/** Finds, by binary search, the last escape that begins at or before `plainAt`. */
function placeIn(escaped: readonly Escape[], plainAt: number): number {
  let from = 0;
  let to = escaped.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (escaped[middle]!.plainAt <= plainAt) from = middle + 1;
    else to = middle;
  }
  const last = escaped[from - 1];
  if (!last) return plainAt;
  return plainAt < last.plainEnd ? last.at : last.end + plainAt - last.plainEnd;
}

function meaning([written, unicode, json, byte, decimal, hex, name]: RegExpExecArray): string {
  if (json) return named[json.toLowerCase()] ?? json;
  if (name) return named[name.toLowerCase()]!;
  const code = decimal ? Number(decimal) : Number.parseInt((unicode ?? byte ?? hex)!, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : written;
}

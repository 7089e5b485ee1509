/** Controls but tabs and line breaks, and what turns the text around it: embeddings, overrides, isolates (UAX #9 §2). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unseen = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** `text` as everybody sees it: what cannot be seen is written as an escape, such as `\u202e`, which in JSON means the same. */
export function visibleText(text: string): string {
  return Buffer.from(text)
    .toString() // half a character becomes U+FFFD
    .replace(unseen, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The same on one line: breaks, controls and runs of spaces are one space. */
export function visibleLine(text: string): string {
  return visibleText(text.replace(/[\p{Cc}\p{Z}]+/gu, ' ').trim());
}

/** The first `length` characters, whole ones, with a mark where something was cut off. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${text.slice(0, length - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** They turn the text around them: embeddings, overrides and isolates (Unicode UAX #9 §2). */
const turning = /[\u202a-\u202e\u2066-\u2069]/g;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g;

/**
 * `text` as everybody sees it: characters that turn what stands around them are written as escapes, which mean the same
 * in JSON; control characters and halves of characters become U+FFFD.
 */
export function visibleText(text: string): string {
  return Buffer.from(text)
    .toString()
    .replace(turning, (character) => `\\u${character.charCodeAt(0).toString(16)}`)
    .replace(controls, '\ufffd');
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

/*
 * Postgres stores no NUL in a text, and no lone surrogate survives UTF-8. A receiver's answer may contain both. Such a
 * text is stored as JSON after a mark, and so is a text that begins with the mark itself.
 */

const mark = '\u0001';
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what it looks for.
const unstorable = /\0|\p{Surrogate}/u;

/** Whether Postgres cannot store the text as it is. */
export const isUnstorable = (text: string): boolean => unstorable.test(text);

export function storable(text: string | null): string | null {
  if (text === null || !(text.startsWith(mark) || isUnstorable(text))) return text;
  return mark + JSON.stringify(text);
}

/**
 * Restores a stored text. A text with the mark that is not JSON was not written here: it is returned as it is, so that
 * reading it does not fail.
 */
export function restored(text: string | null): string | null {
  if (!text?.startsWith(mark)) return text;
  try {
    return JSON.parse(text.slice(1));
  } catch {
    return text;
  }
}

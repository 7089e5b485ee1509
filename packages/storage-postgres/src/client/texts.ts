/*
 * Postgres keeps no NUL in a text, and no lone surrogate survives UTF-8. A receiver's answer may hold both: such a text
 * is kept as JSON behind a mark, and so is one that begins with the mark itself.
 */

const mark = '\u0001';
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what it looks for.
const unstorable = /\0|\p{Surrogate}/u;

/** Whether Postgres cannot hold it as it is. */
export const isUnstorable = (text: string): boolean => unstorable.test(text);

export function storable(text: string | null): string | null {
  if (text === null || !(text.startsWith(mark) || isUnstorable(text))) return text;
  return mark + JSON.stringify(text);
}

/** A text behind the mark that is no JSON was not written here, and stays as it is: nothing else fails for it. */
export function restored(text: string | null): string | null {
  if (!text?.startsWith(mark)) return text;
  try {
    return JSON.parse(text.slice(1));
  } catch {
    return text;
  }
}

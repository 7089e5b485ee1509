/**
 * Characters that change the direction of text: embeddings, overrides and isolates (Unicode UAX #9 §2). Messages show
 * them as escapes, see {@link visibleText}. Text messages, where every character costs money, omit them.
 */
export const turning = /[\u202a-\u202e\u2066-\u2069]/g;

const asEscape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * Makes invisible characters visible. Control characters (except tabs and line breaks) and those that change the text
 * direction become escapes such as `\u202e`, which mean the same in JSON. A lone surrogate becomes U+FFFD.
 */
export function visibleText(text: string): string {
  return text
    .replace(/\p{Cs}/gu, '\ufffd')
    .replace(/[^\P{Cc}\t\n\r]/gu, asEscape)
    .replace(turning, asEscape);
}

/** Like {@link visibleText}, on one line: runs of spaces, line breaks and control characters become one space. */
export function visibleLine(text: string): string {
  return visibleText(text.replace(/[\p{Cc}\p{Z}]+/gu, ' ').trim());
}

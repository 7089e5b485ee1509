/**
 * What turns the text around it: embeddings, overrides and isolates (Unicode UAX #9 §2). Messages show each as an escape,
 * see {@link visibleText}; a text by SMS, where every character is paid for, leaves it out.
 */
export const turning = /[\u202a-\u202e\u2066-\u2069]/g;

const asEscape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * `text` as everybody sees it: controls but tabs and line breaks, and what turns text, are written as escapes, such as
 * `\u202e`, which in JSON mean the same. Half a character is U+FFFD.
 */
export function visibleText(text: string): string {
  return text
    .replace(/\p{Cs}/gu, '\ufffd')
    .replace(/[^\P{Cc}\t\n\r]/gu, asEscape)
    .replace(turning, asEscape);
}

/** The same on one line: breaks, controls and runs of spaces are one space. */
export function visibleLine(text: string): string {
  return visibleText(text.replace(/[\p{Cc}\p{Z}]+/gu, ' ').trim());
}

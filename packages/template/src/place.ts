/**
 * Where rendered values land, and so how they are escaped.
 *
 * - `plain`: as they are.
 * - `html`: `&`, `<`, `>`, `"` and `'` as references. For text and for values of attributes in quotes.
 * - `mrkdwn`: `&`, `<` and `>`, as Slack asks for (https://docs.slack.dev/messaging/formatting-message-text#escaping).
 * - `header`: line breaks and other controls become one space, those of the template itself, too.
 * - `markdown`: a backslash before all that Markdown may read as its own (CommonMark 0.31 §2.4).
 * - `json`: the content of a JSON string, without its quotes (RFC 8259 §7).
 */
export type Place = 'plain' | 'html' | 'mrkdwn' | 'header' | 'markdown' | 'json';

export type Escape = (text: string) => string;

/** `text` on one line, without controls. */
export const oneLine: Escape = (text) => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');

/** The content of the JSON string that says `text`. */
export const jsonContent: Escape = (text) => JSON.stringify(text).slice(1, -1);

const references: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
};

/** How values are escaped in each place. */
export const escapes: Readonly<Record<Place, Escape>> = {
  plain: (text) => text,
  html: (text) => text.replace(/[&<>"']/g, (character) => references[character]!),
  mrkdwn: (text) => text.replace(/[&<>]/g, (character) => references[character]!),
  header: oneLine,
  markdown: (text) => text.replace(/[\\`*_{}[\]()<>#+!|~@:&-]/g, '\\$&'),
  json: jsonContent,
};

/** `text` escaped for a place, as the values in a template are. */
export const escapeFor = (place: Place, text: string): string => escapes[place](text);

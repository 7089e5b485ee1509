/**
 * Where rendered values land, and so how they are escaped.
 *
 * - `plain`: as they are.
 * - `html`: `&`, `<`, `>`, `"` and `'` as references. For text and for values of attributes in quotes; within CSS only
 *   letters, digits, spaces and `#%.,+-` are left.
 * - `mrkdwn`: `&`, `<` and `>`, as Slack asks for (https://docs.slack.dev/messaging/formatting-message-text#escaping);
 *   where a link leads to, as an address.
 * - `header`: line breaks and other controls become one space, those of the template itself, too.
 * - `markdown`: a backslash before all that Markdown may read as its own (CommonMark 0.31 §2.4).
 * - `address`: where a link leads to: what ends a link is percent-encoded; at the beginning, an address that is not of
 *   `http:` or `https:` is left out.
 * - `json`: the content of a JSON string, without its quotes (RFC 8259 §7).
 */
export type Place = 'plain' | 'html' | 'mrkdwn' | 'header' | 'markdown' | 'address' | 'json';

export type Escape = (text: string) => string;

/** `text` on one line, without controls. */
export const oneLine: Escape = (text) => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');

/** The content of the JSON string that says `text`. */
export const jsonContent: Escape = (text) => JSON.stringify(text).slice(1, -1);

/** `text` with all that ends a link, or its address, percent-encoded. */
export const encodedForLink: Escape = (text) => text.replace(/[<>|"'`\\\s\p{Cc}]/gu, encoded);

const encoded: Escape = (character) =>
  encodeURIComponent(character) === character
    ? `%${character.charCodeAt(0).toString(16).toUpperCase()}`
    : encodeURIComponent(character);

/** An address of `http:` or `https:` that a link may lead to, its host in ASCII, with nothing in it that ends one; else nothing. */
export const linkAddress: Escape = (text) => {
  if (!URL.canParse(text)) return '';
  const { protocol, href } = new URL(text);
  return protocol === 'https:' || protocol === 'http:' ? encodedForLink(href) : '';
};

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
  markdown: (text) =>
    text
      .replace(/[\\`*_{}[\]()<>#+!|~@:&=-]/g, '\\$&')
      // The number of a list, at the beginning of a line.
      .replace(/^(\s*\d+)\./gm, '$1\\.'),
  address: linkAddress,
  json: jsonContent,
};

/** `text` escaped for a place, as the values in a template are. */
export const escapeFor = (place: Place, text: string): string => escapes[place](text);

/**
 * Where rendered values land, and so how they are escaped.
 *
 * - `plain`: as they are.
 * - `html`: `&`, `<`, `>`, `"` and `'` as references. For text and for values of attributes in quotes; within CSS only
 *   letters, digits, spaces and `#%.,+-` are left.
 * - `entities`: `&`, `<` and `>`, as Slack asks for (https://docs.slack.dev/messaging/formatting-message-text#escaping).
 * - `mrkdwn`: the same, and what formats a text or makes an emoji of it shows itself; where a link leads to, as an address.
 * - `header`: line breaks and other controls become one space, those of the template itself, too.
 * - `markdown`: a backslash before all that Markdown may read as its own (CommonMark 0.31 §2.4).
 * - `text_run`: as they are; what an Adaptive Card would read as a date or a time is shown as it is.
 * - `address`: where a link leads to: what ends a link is percent-encoded; at the beginning, an address that is not of
 *   `http:` or `https:` is left out.
 * - `json`: the content of a JSON string, without its quotes (RFC 8259 §7).
 */
export type Place =
  | ('plain' | 'html' | 'entities' | 'mrkdwn' | 'header')
  | ('markdown' | 'text_run' | 'address' | 'json');

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

const entities: Escape = (text) => text.replace(/[&<>]/g, (character) => references[character]!);

/**
 * mrkdwn knows no escape. The fallback of a date that is none is text to Slack, whatever it says: `*`, say. Within a word
 * a mark is one by itself.
 */
const unformatted: Escape = (mark) => `<!date^00000000^{_}|${mark}>`;

/** What begins or ends a format, but within a word, or an emoji. */
const formatting = /(?<![\p{L}\p{N}])[*_~]+|[*_~]+(?![\p{L}\p{N}*_~])|`+|:(?=[\p{L}\p{N}_+'-]+:)/gu;

/** What begins a line that quotes. */
const quoting = /^(?=>)/gm;

/** Invisible, and no beginning of a line to Slack. */
const softHyphen = '\u00ad';

/** What stands for a mark where no date can, as in the label of a link. */
const lookalikes: Readonly<Record<string, string>> = { '*': '∗', _: 'ˍ', '~': '∼', '`': 'ˋ' };

/** `text` for the label of a link in mrkdwn. */
export const linkLabel: Escape = (text) => entities(text.replace(/[*_~`]/g, (mark) => lookalikes[mark]!));

/** `text` for code in mrkdwn, where nothing but a backtick is more than itself. */
export const codeText: Escape = (text) => entities(text.replaceAll('`', lookalikes['`']!));

/** How values are escaped in each place. */
export const escapes: Readonly<Record<Place, Escape>> = {
  plain: (text) => text,
  html: (text) => text.replace(/[&<>"']/g, (character) => references[character]!),
  entities,
  mrkdwn: (text) => {
    // Slack finds an address by itself, and formats nothing in it.
    if (/^https?:\/\/\S+$/.test(text)) return entities(text);
    const marks = text.match(formatting) ?? [];
    const between = text.replace(quoting, softHyphen).split(formatting).map(entities);
    return between.map((part, i) => part + (marks[i] === undefined ? '' : unformatted(marks[i]))).join('');
  },
  header: oneLine,
  markdown: (text) =>
    text
      .replace(/[\\`*_{}[\]()<>#+!|~@:&=-]/g, '\\$&')
      // The number of a list, at the beginning of a line.
      .replace(/^(\s*\d+)\./gm, '$1\\.'),
  text_run: (text) => text.replace(/\{\{(?=(?:DATE|TIME)\()/g, '{\u200b{'),
  address: linkAddress,
  json: jsonContent,
};

/** `text` escaped for a place, as the values in a template are. */
export const escapeFor = (place: Place, text: string): string => escapes[place](text);

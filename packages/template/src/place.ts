/**
 * Where rendered values are inserted, which decides how they are escaped.
 *
 * - `plain`: not escaped.
 * - `html`: `&`, `<`, `>`, `"` and `'` as character references, for text and quoted attribute values. Within CSS, only
 *   letters, digits, spaces and `#%.,+-` remain.
 * - `entities`: `&`, `<` and `>`, as Slack requires
 *   (https://docs.slack.dev/messaging/formatting-message-text#escaping).
 * - `mrkdwn`: like `entities`, and formatting characters and emoji codes appear literally. The target of a link is
 *   escaped like `address`.
 * - `header`: line breaks and other control characters become one space, including those of the template itself.
 * - `markdown`: a backslash before every character that Markdown may interpret (CommonMark 0.31 §2.4).
 * - `text_run`: not escaped, except that the date and time functions of Adaptive Cards appear literally.
 * - `address`: the target of a link. Characters that end a link are percent-encoded. A value at the start that is not
 *   an `http:` or `https:` URL is removed.
 * - `json`: the content of a JSON string, without the quotes (RFC 8259 §7).
 */
export type Place =
  | ('plain' | 'html' | 'entities' | 'mrkdwn' | 'header')
  | ('markdown' | 'text_run' | 'address' | 'json');

export type Escape = (text: string) => string;

/** Replaces line breaks and control characters by spaces. */
export const oneLine: Escape = (text) => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');

/** Escapes text as the content of a JSON string. */
export const jsonContent: Escape = (text) => JSON.stringify(text).slice(1, -1);

/** Percent-encodes all characters that end a link or its URL. */
export const encodedForLink: Escape = (text) => text.replace(/[<>|"'`\\\s\p{Cc}]/gu, encoded);

const encoded: Escape = (character) =>
  encodeURIComponent(character) === character
    ? `%${character.charCodeAt(0).toString(16).toUpperCase()}`
    : encodeURIComponent(character);

/**
 * Returns an `http:` or `https:` URL with its host in ASCII, and the characters that end a link percent-encoded.
 * Returns an empty string for other text.
 */
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
 * Shows a formatting character literally. mrkdwn has no escape character, but Slack shows the fallback of an invalid
 * date as plain text, even `*`. Within a word these characters are literal anyway.
 */
const unformatted: Escape = (mark) => `<!date^00000000^{_}|${mark}>`;

/** Characters that start or end formatting (not within a word) or an emoji code. */
const formatting = /(?<![\p{L}\p{N}])[*_~]+|[*_~]+(?![\p{L}\p{N}*_~])|`+|:(?=[\p{L}\p{N}_+'-]+:)/gu;

/** The position before a `>` that would quote a line. */
const quoting = /^(?=>)/gm;

/** Invisible. Slack does not treat a `>` after it as the start of a line. */
const softHyphen = '\u00ad';

/** Similar characters for places where Slack allows no date, such as the label of a link. */
const lookalikes: Readonly<Record<string, string>> = { '*': '∗', _: 'ˍ', '~': '∼', '`': 'ˋ' };

/** Escapes text for the label of a link in mrkdwn. */
export const linkLabel: Escape = (text) => entities(text.replace(/[*_~`]/g, (mark) => lookalikes[mark]!));

/** Escapes text for code in mrkdwn, where only the backtick is special. */
export const codeText: Escape = (text) => entities(text.replaceAll('`', lookalikes['`']!));

/** The escape function of each place. */
export const escapes: Readonly<Record<Place, Escape>> = {
  plain: (text) => text,
  html: (text) => text.replace(/[&<>"']/g, (character) => references[character]!),
  entities,
  mrkdwn: (text) => {
    // Slack links a bare URL and formats nothing in it.
    if (/^https?:\/\/\S+$/.test(text)) return entities(text);
    const marks = text.match(formatting) ?? [];
    const between = text.replace(quoting, softHyphen).split(formatting).map(entities);
    return between.map((part, i) => part + (marks[i] === undefined ? '' : unformatted(marks[i]))).join('');
  },
  header: oneLine,
  markdown: (text) =>
    text
      .replace(/[\\`*_{}[\]()<>#+!|~@:&=-]/g, '\\$&')
      // The number of a list item, at the start of a line.
      .replace(/^(\s*\d+)\./gm, '$1\\.'),
  text_run: (text) => text.replace(/\{\{(?=(?:DATE|TIME)\()/g, '{\u200b{'),
  address: linkAddress,
  json: jsonContent,
};

/** Escapes text for a place, like a value in a template. */
export const escapeFor = (place: Place, text: string): string => escapes[place](text);

/**
 * How Slack reads a mrkdwn text. Source: Slack, "Formatting message text": links, mentions, dates, formats, emojis.
 */
export interface SlackMarkup {
  /** The mentions: `!channel`, `!here`, `!everyone`, `!subteam^S1`, `@U1`; and links to channels, `#C1`. */
  readonly mentions: readonly string[];
  readonly links: readonly SlackLink[];
  /**
   * The text as people read it: entities decoded once, links replaced by their labels, dates by their fallback, without
   * the marks of bold, italic, strike, code and quotes, and with `☺` for each emoji.
   */
  readonly shown: string;
}

/** A link in a message, as Slack shows it. */
export interface SlackLink {
  readonly url: string;
  /** The label of the link; its URL where it has none. */
  readonly label: string;
}

const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>' };

const decoded = (text: string): string => text.replace(/&(?:amp|lt|gt);/g, (entity) => entities[entity]!);

/** Replaces a finished piece while the rest is formatted: a noncharacter, which is in no text and no word. */
const piece = '\ufdd0';
/** Replaces a URL that was found in a text. */
const hiddenAddress = '\ufdd1';

/**
 * Parses a mrkdwn text as Slack does, so that a test can check what people read, who is mentioned, and where links
 * lead.
 */
export function slackMarkup(text: string): SlackMarkup {
  const mentions: string[] = [];
  const links: SlackLink[] = [];
  const pieces: string[] = [];
  const keep = (shown: string): string => {
    pieces.push(shown);
    return piece;
  };
  const withoutControls = text.replace(/<([^<>]*)>/g, (whole, inner: string) => {
    const [target = '', label] = splitOnce(inner);
    // A fallback is neither decoded nor formatted.
    if (target.startsWith('!date^')) return keep(label ?? '');
    if (/^[!@#]./.test(target)) {
      mentions.push(target);
      return keep(decoded(label ?? target));
    }
    if (/^(https?:\/\/|mailto:|tel:)/i.test(target)) {
      const link = { url: decoded(target), label: decoded(formatted(label ?? target)) };
      links.push(link);
      return keep(link.label);
    }
    return keep(decoded(whole));
  });
  const shown = decoded(formatted(withoutControls));
  let next = 0;
  return { mentions, links, shown: shown.replaceAll(piece, () => pieces[next++]!) };
}

const code = /(```[\s\S]+?```|`[^`\n]+`)/;
const inWord = '\\p{L}\\p{N}';

/**
 * A mark at the edge of a word, its content, which neither begins nor ends with a space, and the same mark. Within a
 * word, the mark is an ordinary character.
 */
const formats = ['*', '_', '~'].map((mark) => {
  const inside = `(?!\\s)(?:[^\\n${mark}]|(?<=[${inWord}])[${mark}](?=[${inWord}]))+(?<!\\s)`;
  return new RegExp(`(?<![${inWord}${mark}])[${mark}](${inside})[${mark}](?![${inWord}${mark}])`, 'gu');
});

/** Removes the marks of formatting from `text`, and replaces each emoji by `☺`; not in code, and not in URLs. */
function formatted(text: string): string {
  const quoted = text.replace(/^(?:&gt;){1,3} ?/gm, '');
  const parts = quoted.split(code);
  return parts
    .map((part, i) => (i % 2 === 1 ? part.replace(/^(`{3}|`)([\s\S]*)\1$/, '$2') : words(part)))
    .join('');
}

/** Does the same for text without code. */
function words(text: string): string {
  const addresses: string[] = [];
  const hidden = text.replace(/https?:\/\/[^\s<>|]+/g, (address) => {
    addresses.push(address);
    return hiddenAddress;
  });
  let next = 0;
  return formats
    .reduce((before, format) => before.replace(format, '$1'), hidden)
    .replace(/:[\p{L}\p{N}_+'-]+:/gu, '☺')
    .replaceAll(hiddenAddress, () => addresses[next++]!);
}

function splitOnce(text: string): readonly string[] {
  const at = text.indexOf('|');
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

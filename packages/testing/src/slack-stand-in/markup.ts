/** What Slack makes of a text of mrkdwn. Source: Slack, "Formatting message text": links, mentions, dates, formats, emojis. */
export interface SlackMarkup {
  /** Whom it calls: `!channel`, `!here`, `!everyone`, `!subteam^S1`, `@U1`; and channels it leads to, `#C1`. */
  readonly mentions: readonly string[];
  readonly links: readonly SlackLink[];
  /**
   * The text as people read it: entities decoded once, labels in the place of links, dates as their fallback, without the
   * marks of what is bold, italic, struck, code or quoted, and `☺` for each emoji.
   */
  readonly shown: string;
}

export interface SlackLink {
  readonly url: string;
  /** What is shown in the place of the address; the address itself where it has no label. */
  readonly label: string;
}

const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>' };

const decoded = (text: string): string => text.replace(/&(?:amp|lt|gt);/g, (entity) => entities[entity]!);

/** What stands for a finished piece while the rest is formatted: a character of no word that no text holds. */
const piece = '\ufdd0';
/** And for an address that is found in a text. */
const hiddenAddress = '\ufdd1';

/** Reads a text of mrkdwn as Slack does, so that a test can see what people read, whom it calls and where it leads. */
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
    // Nothing in a fallback is decoded, or formatted.
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
 * A mark at the edge of a word, what it holds, which neither begins nor ends with a space, and the same mark. Within a word
 * it is one by itself.
 */
const formats = ['*', '_', '~'].map((mark) => {
  const inside = `(?!\\s)(?:[^\\n${mark}]|(?<=[${inWord}])[${mark}](?=[${inWord}]))+(?<!\\s)`;
  return new RegExp(`(?<![${inWord}${mark}])[${mark}](${inside})[${mark}](?![${inWord}${mark}])`, 'gu');
});

/** `text` without the marks that format it, and with `☺` for each emoji; not in code, and in no address. */
function formatted(text: string): string {
  const quoted = text.replace(/^(?:&gt;){1,3} ?/gm, '');
  const parts = quoted.split(code);
  return parts
    .map((part, i) => (i % 2 === 1 ? part.replace(/^(`{3}|`)([\s\S]*)\1$/, '$2') : words(part)))
    .join('');
}

/** The same without code. */
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

/** What Slack makes of `<…>` in a text of mrkdwn. Source: Slack, "Formatting message text", sections on links and mentions. */
export interface SlackMarkup {
  /** Whom it calls: `!channel`, `!here`, `!everyone`, `!subteam^S1`, `@U1`; and channels it leads to, `#C1`. */
  readonly mentions: readonly string[];
  readonly links: readonly SlackLink[];
  /** The text as people read it: entities decoded once, labels in the place of links, dates as their fallback. */
  readonly shown: string;
}

export interface SlackLink {
  readonly url: string;
  /** What is shown in the place of the address; the address itself where it has no label. */
  readonly label: string;
}

const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>' };

const decoded = (text: string): string => text.replace(/&(?:amp|lt|gt);/g, (entity) => entities[entity]!);

/** Reads a text of mrkdwn as Slack does, so that a test can see whom a message would call and where it would lead. */
export function slackMarkup(text: string): SlackMarkup {
  const mentions: string[] = [];
  const links: SlackLink[] = [];
  const shown = text.replace(/<([^<>]*)>|[^<>]+/g, (whole, inner: string | undefined) => {
    if (inner === undefined) return decoded(whole);
    const [target = '', label] = splitOnce(inner);
    if (target.startsWith('!date^')) return decoded(label ?? '');
    if (/^[!@#]./.test(target)) {
      mentions.push(target);
      return decoded(label ?? target);
    }
    if (/^(https?:\/\/|mailto:|tel:)/i.test(target)) {
      links.push({ url: decoded(target), label: decoded(label ?? target) });
      return decoded(label ?? target);
    }
    return decoded(whole);
  });
  return { mentions, links, shown };
}

function splitOnce(text: string): readonly string[] {
  const at = text.indexOf('|');
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

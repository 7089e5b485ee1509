import { escapeFor } from '@posthorn/template';

/*
 * Text in Slack's mrkdwn. Source: Slack, "Formatting message text".
 */

/** Escapes text for mrkdwn, so that it is displayed as written and creates no mention, link or format. */
export const escaped = (text: string): string => escapeFor('mrkdwn', text);

/** Escapes text for a plain text object. */
export const plainText = (text: string): string => escapeFor('entities', text);

const mark = '…';

/**
 * Cuts mrkdwn to at most `maxLength` UTF-16 units, with a mark at the end, and never within a character, entity or
 * link.
 */
export function cutMarkup(markup: string, maxLength: number): string {
  if (markup.length <= maxLength) return markup;
  const beginning = markup
    .slice(0, maxLength - mark.length)
    .replace(/[\ud800-\udbff]$/, '')
    .replace(/&[a-z]{0,3}$/, '')
    .replace(/<[^<>]*$/, '');
  return beginning + mark;
}

const longestLink = 500;

/** Formats a value as mrkdwn: a URL as a link to itself, other values as text. */
export function valueMarkup(value: string): string {
  const isAddress = /^https?:\/\/\S+$/.test(value) && value.length <= longestLink && URL.canParse(value);
  return isAddress ? `<${escaped(encodedTarget(value))}>` : escaped(value);
}

/** Characters that end a link or start its label. */
const encodedTarget = (url: string): string => url.replace(/[<>|]/g, encodeURIComponent);

/** Formats an instant in the time zone of the reader, with UTC as the fallback. */
export function dateMarkup(instant: Date): string {
  const utc = `${instant.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return `<!date^${Math.floor(instant.getTime() / 1000)}^{date_short_pretty} {time}|${utc}>`;
}

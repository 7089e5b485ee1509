import { escapeFor } from '@posthorn/template';

/*
 * Texts in Slack's mrkdwn. Source: Slack, "Formatting message text".
 */

/** `text` as mrkdwn that shows it, and neither calls anybody nor links nor is formatted. */
export const escaped = (text: string): string => escapeFor('mrkdwn', text);

/** The same for a text in which nothing is formatted. */
export const plainText = (text: string): string => escapeFor('entities', text);

const mark = '…';

/** The beginning of a mrkdwn text, of at most `maxLength` UTF-16 units: with a mark, and no half character, entity or link. */
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

/** A value as mrkdwn: an address as a link to itself, which hides nothing; all else as text. */
export function valueMarkup(value: string): string {
  const isAddress = /^https?:\/\/\S+$/.test(value) && value.length <= longestLink && URL.canParse(value);
  return isAddress ? `<${escaped(encodedTarget(value))}>` : escaped(value);
}

/** What would end a link, or begin its label. */
const encodedTarget = (url: string): string => url.replace(/[<>|]/g, encodeURIComponent);

/** An instant in the zone of whoever reads it; in UTC where it cannot be shown so. */
export function dateMarkup(instant: Date): string {
  const utc = `${instant.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return `<!date^${Math.floor(instant.getTime() / 1000)}^{date_short_pretty} {time}|${utc}>`;
}

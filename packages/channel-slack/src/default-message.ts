import type { DigestedEvent, Message } from '@posthorn/core/channel';
import { countOf, fitting, summaryOf } from '@posthorn/template';
import type { Block, TextObject } from './blocks.js';
import { limits } from './limits.js';
import { cutMarkup, dateMarkup, escaped, plainText, valueMarkup } from './markup.js';

/** Cap on all fields together, and on all lines of a digest. */
const lengthInAll = limits.ofBlock;
const longestLine = 500;
const maxFields = 10;

const plain = (text: string): TextObject => ({ type: 'plain_text', text: plainText(text), emoji: false });
/** A mrkdwn text with `verbatim`: only explicit links and mentions work; URLs and names in the text do not. */
const mrkdwn = (text: string): TextObject => ({ type: 'mrkdwn', text, verbatim: true });

const header = (text: string): Block => ({ type: 'header', text: plain(text) });
const context = (...elements: readonly TextObject[]): Block => ({ type: 'context', elements });

/** Builds the text for notifications and screen readers, which do not show blocks. */
export function fallbackText({ event, payload, digest, webhook }: Message): string {
  const { title, subject } = summaryOf({ event, payload }, 0);
  const what = digest ? countOf(digest) : subject === null ? title : `${title}: ${subject}`;
  return cutMarkup(plainText(`${what} (${webhook.name})`), limits.text);
}

/** Builds the blocks of a webhook without a template. */
export function defaultBlocks(message: Message): readonly Block[] {
  return message.digest ? digestBlocks(message, message.digest) : eventBlocks(message);
}

/** Builds the blocks of an event: type, subject, the first fields of the payload, time, webhook name and event id. */
function eventBlocks(message: Message): readonly Block[] {
  const { event, webhook } = message;
  const { title, subject, fields, moreFields } = summaryOf(message, maxFields);
  const length = Math.min(limits.field, Math.floor(lengthInAll / fields.length));
  const texts = fields.map(({ name, value }) =>
    mrkdwn(cutMarkup(`*${escaped(name)}*\n${valueMarkup(value)}`, length)),
  );
  return [
    header(title),
    ...(subject === null ? [] : [{ type: 'section', text: plain(subject) }]),
    ...(texts.length === 0 ? [] : [{ type: 'section', fields: texts }]),
    context(
      ...(moreFields === 0 ? [] : [plain(`and ${moreFields} more ${moreFields === 1 ? 'field' : 'fields'}`)]),
      mrkdwn(dateMarkup(event.occurredAt)),
      plain(webhook.name),
      plain(event.id),
    ),
  ];
}

/** Builds the blocks of a digest: one line per event as far as they fit, and the number of events left out. */
function digestBlocks({ webhook }: Message, events: readonly DigestedEvent[]): readonly Block[] {
  const lines = fitting(events.map(lineOf), ({ length }) => length + 1, lengthInAll);
  const more = events.length - lines.length;
  return [
    header(countOf(events)),
    ...joined(lines).map((text) => ({ type: 'section', text: mrkdwn(text) })),
    context(...(more === 0 ? [] : [plain(`and ${more} more`)]), plain(webhook.name)),
  ];
}

function lineOf(one: DigestedEvent): string {
  const { title, subject } = summaryOf(one, 0);
  const what = cutMarkup(`• *${escaped(title)}* ${escaped(subject ?? '')}`.trimEnd(), longestLine);
  return `${what} · ${dateMarkup(one.event.occurredAt)}`;
}

/** Joins lines into as few texts as the limit of a section allows. */
function joined(lines: readonly string[]): readonly string[] {
  const texts: string[] = [];
  for (const line of lines) {
    const text = texts.length === 0 ? line : `${texts.at(-1)}\n${line}`;
    if (text.length > limits.sectionText) texts.push(line);
    else texts.splice(-1, 1, text);
  }
  return texts;
}

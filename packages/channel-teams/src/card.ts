import type { DigestedEvent, Message } from '@posthorn/core/channel';
import { countOf, cutText, escapeFor, fitting, summaryOf } from '@posthorn/template';

const maxFields = 10;
/** Cap on the values of all fields, in characters of at most three bytes. A message may have about 28 KB. */
const lengthInAll = 6_000;
/** Cap on the lines of a digest. */
const bytesOfLines = 20 * 1024;

/** Builds a TextRun. Unlike a TextBlock it has no Markdown, so text of an event creates no link or mention. */
const run = (text: string, looks: object = {}) => ({
  type: 'TextRun',
  text: escapeFor('text_run', text),
  ...looks,
});
const line = (...inlines: readonly object[]) => ({ type: 'RichTextBlock', inlines });
const heading = (text: string) => line(run(text, { size: 'large', weight: 'bolder' }));
const quiet = (text: string) => line(run(text, { size: 'small', isSubtle: true }));

/** Builds the default card: type, subject, first fields and time of an event, or a line per event of a digest. */
export function defaultCard({ event, payload, webhook, digest }: Message): unknown {
  const body = digest
    ? [heading(countOf(digest)), ...linesOf(digest), quiet(webhook.name)]
    : [...partsOf({ event, payload }), dateOf(event.occurredAt), quiet(`${webhook.name} · ${event.id}`)];
  return { type: 'AdaptiveCard', version: '1.4', body, msteams: { width: 'Full' } };
}

function partsOf(one: DigestedEvent): readonly object[] {
  const { title, subject, fields, moreFields } = summaryOf(one, maxFields);
  const length = Math.floor(lengthInAll / fields.length);
  return [
    heading(title),
    ...(subject === null ? [] : [line(run(subject))]),
    ...fields.map(({ name, value }) =>
      line(run(`${name}: `, { weight: 'bolder' }), run(cutText(value, length))),
    ),
    ...(moreFields === 0 ? [] : [quiet(`and ${moreFields} more`)]),
  ];
}

/** Builds a date in the reader's time zone. Source: Microsoft, "Text features in Adaptive Cards". */
function dateOf(instant: Date): object {
  const at = `${instant.toISOString().slice(0, 19)}Z`;
  return { type: 'TextBlock', text: `{{DATE(${at}, SHORT)}} {{TIME(${at})}}`, size: 'small', isSubtle: true };
}

function linesOf(events: readonly DigestedEvent[]): readonly object[] {
  const lines = events.map((one) => {
    const { title, subject } = summaryOf(one, 0);
    const at = `${one.event.occurredAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    return line(run(title, { weight: 'bolder' }), run(` ${subject ?? ''} ${at}`));
  });
  const shown = fitting(lines, (one) => Buffer.byteLength(JSON.stringify(one)), bytesOfLines);
  const more = lines.length - shown.length;
  return [...shown, ...(more === 0 ? [] : [quiet(`and ${more} more`)])];
}

import type { DigestedEvent, Message } from '@posthorn/core';
import { countOf, cutText, escapeFor, fitting, summaryOf } from '@posthorn/template';

/** Of fields, and of the lines of a digest; all texts of a message have 6,000 characters at most (Discord, "Embed Limits"). */
const lengthInAll = 4_000;
const limits = { title: 256, description: 1_000, fields: 10, name: 200, value: 1_024 };

const blurple = 0x5865f2;

/** What `text` says and nothing that it may do: no link, no mention, no formatting. */
const escaped = (text: string, maxLength: number): string => cutText(escapeFor('markdown', text), maxLength);

/** An event as type, subject and first fields; a digest as a line for each event. The time is shown in the reader's zone. */
export function defaultEmbed(message: Message): unknown {
  const { event, webhook, digest } = message;
  const common = {
    color: blurple,
    footer: { text: digest ? webhook.name : `${webhook.name} · ${event.id}` },
  };
  if (digest) {
    return { title: countOf(digest), description: linesOf(digest), ...common };
  }
  const { title, subject, fields, moreFields } = summaryOf(message, limits.fields);
  const length = Math.min(limits.value, Math.floor(lengthInAll / fields.length) - limits.name);
  const more = moreFields === 0 ? [] : [`and ${moreFields} more`];
  const description = [...(subject === null ? [] : [escaped(subject, limits.description)]), ...more].join(
    '\n',
  );
  return {
    title: escaped(title, limits.title),
    ...(description !== '' && { description }),
    fields: fields.map(({ name, value }) => ({
      name: escaped(name, limits.name),
      value: escaped(value, length),
      inline: value.length <= 40,
    })),
    timestamp: event.occurredAt.toISOString(),
    ...common,
  };
}

function linesOf(events: readonly DigestedEvent[]): string {
  const lines = events.map((one) => {
    const { title, subject } = summaryOf(one, 0);
    const at = `<t:${Math.floor(one.event.occurredAt.getTime() / 1_000)}:f>`;
    return `**${escaped(title, limits.title)}** ${escaped(subject ?? '', limits.value)} ${at}`;
  });
  const shown = fitting(lines, ({ length }) => length + 1, lengthInAll);
  const more = lines.length - shown.length;
  return [...shown, ...(more === 0 ? [] : [`and ${more} more`])].join('\n');
}

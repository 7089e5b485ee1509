import type { DigestedEvent, Message } from '@posthorn/core/channel';
import { countOf, cutText, escapeFor, fitting, summaryOf } from '@posthorn/template';

/** Cap on all fields, and on the lines of a digest. All texts of a message may have 6,000 (Discord, "Embed Limits"). */
const lengthInAll = 4_000;
const limits = { title: 256, description: 1_000, fields: 10, name: 200, value: 1_024 };

const blurple = 0x5865f2;

/** Escapes and cuts text, so that it creates no link, mention or formatting. */
const escaped = (text: string, maxLength: number): string => cutText(escapeFor('markdown', text), maxLength);

/**
 * Builds the embed: type, subject and first fields of an event, or a line per event of a digest. Times are in the
 * reader's zone.
 */
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

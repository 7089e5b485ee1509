import { PosthornError } from '@posthorn/core';
import type { DigestedEvent, Message } from '@posthorn/core/channel';
import { contextOf, countOf, fitting, parseTemplate, turning } from '@posthorn/template';
import type { SmsConfigs } from './configs.js';
import { cutToSegments, segmentsOf } from './segments.js';

/** Builds the text of a message, cut to `maxSegments`. Throws `invalid_template` if its template cannot be rendered. */
export function textOf(message: Message<SmsConfigs>, maxSegments: number): string {
  const { message_template: template } = message.configs;
  const text =
    template == null
      ? ownText(message, maxSegments)
      : plain(parseTemplate(template, 'plain').render(contextOf(message)));
  if (text === '') throw new PosthornError('invalid_template', 'message_template renders to an empty text');
  return cutToSegments(text, maxSegments);
}

/**
 * Builds the default text. Its own characters are GSM-7 only, because a single `×` would halve the room for the rest.
 */
function ownText({ event, webhook, digest }: Message<SmsConfigs>, maxSegments: number): string {
  const at = `${event.occurredAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  if (digest) return digestText(digest, `${webhook.name}, since ${at}`, maxSegments);
  const subject = event.subject ? [`${event.subject.type} ${event.subject.id}`] : [];
  return plain([event.type, ...subject, `${webhook.name}, ${at}`].join('\n'));
}

/** Builds `4 events: order.placed x3, order.shipped`, with as many types as fit and the number of other events. */
function digestText(digest: readonly DigestedEvent[], end: string, maxSegments: number): string {
  const counts = countsOf(digest);
  const textWith = (shown: readonly (readonly [type: string, count: number])[]): string => {
    const more = shown.reduce((left, [, count]) => left - count, digest.length);
    const types = shown.map(([type, count]) => (count === 1 ? type : `${type} x${count}`));
    const list = [...types, ...(more === 0 ? [] : [`and ${more} more`])].join(', ');
    return plain(shown.length === 0 ? `${countOf(digest)}\n${end}` : `${countOf(digest)}: ${list}\n${end}`);
  };
  // An upper bound in any encoding. Fewer fit if the webhook's name takes room.
  let shown = fitting(counts, ([type]) => type.length, maxSegments * maxCharacters);
  while (shown.length > 0 && segmentsOf(textWith(shown)).parts.length > maxSegments)
    shown = shown.slice(0, -1);
  return textWith(shown);
}

/** Characters of a message. */
const maxCharacters = 160;

/** Counts the events of each type, in the order of first occurrence. */
function countsOf(digest: readonly DigestedEvent[]): readonly (readonly [type: string, count: number])[] {
  const counts = new Map<string, number>();
  for (const { event } of digest) counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
  return [...counts];
}

/** Converts every line break to `\n`, and removes other control characters, direction marks and lone surrogates. */
function plain(text: string): string {
  return text
    .replace(/\r\n?|[\u0085\u2028\u2029]/g, '\n')
    .replaceAll('\t', ' ')
    .replace(/[^\P{Cc}\n]/gu, '')
    .replace(turning, '')
    .replace(/\p{Cs}/gu, '\ufffd')
    .trim();
}

import { type DigestedEvent, type Message, PosthornError } from '@posthorn/core';
import { contextOf, countOf, parseTemplate, turning } from '@posthorn/template';
import type { SmsConfigs } from './configs.js';
import { cutToSegments } from './segments.js';

/** What a message says as a text, of `maxSegments` at most. Throws `invalid_template` where its template cannot be rendered. */
export function textOf(message: Message<SmsConfigs>, maxSegments: number): string {
  const { message_template: template } = message.configs;
  const text = plain(
    template == null ? ownText(message) : parseTemplate(template, 'plain').render(contextOf(message)),
  );
  if (text === '') throw new PosthornError('invalid_template', 'message_template renders to an empty text');
  return cutToSegments(text, maxSegments);
}

/** Characters of GSM-7 only, as far as names allow: a single `×` would halve the room for all the others. */
function ownText({ event, webhook, digest }: Message<SmsConfigs>): string {
  const at = `${event.occurredAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  if (digest) return `${countOf(digest)}: ${counted(digest)}\n${webhook.name}, since ${at}`;
  const subject = event.subject ? [`${event.subject.type} ${event.subject.id}`] : [];
  return [event.type, ...subject, `${webhook.name}, ${at}`].join('\n');
}

/** `order.placed x3, order.shipped`, in the order in which they first came. */
function counted(digest: readonly DigestedEvent[]): string {
  const counts = new Map<string, number>();
  for (const { event } of digest) counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
  return Array.from(counts, ([type, count]) => (count === 1 ? type : `${type} x${count}`)).join(', ');
}

/** Every kind of line break becomes `\n`; no other control, none that turns the direction of writing, no half character. */
function plain(text: string): string {
  return text
    .replace(/\r\n?|[\u0085\u2028\u2029]/g, '\n')
    .replaceAll('\t', ' ')
    .replace(/[^\P{Cc}\n]/gu, '')
    .replace(turning, '')
    .replace(/\p{Cs}/gu, '\ufffd')
    .trim();
}

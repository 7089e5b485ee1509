import type { DigestedEvent } from '@posthorn/core';
import { exactPayload, writeJson } from './exact-json.js';
import { visibleLine, visibleText } from './visible-text.js';
import { WrittenNumber } from './written-number.js';

/** What a message without a template says of an event, as plain text: to be escaped for the place it goes to. */
export interface EventSummary {
  /** Its type. */
  readonly title: string;
  /** What it happened to, `order o1`; null where it says nothing of that. */
  readonly subject: string | null;
  /** The first fields of its payload; of one that is neither an object nor an array, the payload itself. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
  /** How many fields there are besides. */
  readonly moreFields: number;
}

/** More is never shown of a field, and need not be handed on. */
const maxValueLength = 4_000;
const maxNameLength = 100;
/** Of a list or an object: JSON is no reading for people, and a wall of it hides the fields beside it. */
const maxJsonLength = 200;

/** Summarises an event in at most `maxFields` of its fields: texts as they are, all else as JSON, of which the beginning will do. */
export function summaryOf(one: DigestedEvent, maxFields: number): EventSummary {
  const { type, subject } = one.event;
  // Where nothing of it is shown, it need not be read again.
  const payload = maxFields === 0 ? one.payload : exactPayload(one);
  const isList = typeof payload === 'object' && payload !== null && !(payload instanceof WrittenNumber);
  const fields = isList ? Object.entries(payload) : [['payload', payload] as const];
  return {
    title: type,
    subject: subject && visibleLine(`${subject.type} ${subject.id}`),
    fields: fields.slice(0, maxFields).map(([name, value]) => ({
      name: cutText(visibleLine(name), maxNameLength) || '""',
      value: cutText(visibleText(shown(value)), maxValueLength),
    })),
    moreFields: Math.max(fields.length - maxFields, 0),
  };
}

/** An empty text, or one of spaces, is shown in its quotes. */
const shown = (value: unknown): string =>
  typeof value === 'string' && value.trim() !== '' ? value : cutText(writeJson(value), maxJsonLength);

/** What stands where a text was cut. */
const mark = '…';

/** The beginning of `text`, of at most `maxLength` UTF-16 units, with a mark where it was cut and no half character. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  return text.slice(0, maxLength - mark.length).replace(/[\ud800-\udbff]$/, '') + mark;
}

/** `12 events`: what a digest is called. */
export const countOf = ({ length }: readonly unknown[]): string =>
  `${length} ${length === 1 ? 'event' : 'events'}`;

/** The first of `items`, as many as there is room for by their sizes: the lines of a digest, say. */
export function fitting<Item>(
  items: readonly Item[],
  sizeOf: (item: Item) => number,
  room: number,
): readonly Item[] {
  let left = room;
  const tooMuch = items.findIndex((item) => {
    left -= sizeOf(item);
    return left < 0;
  });
  return tooMuch < 0 ? items : items.slice(0, tooMuch);
}

import type { DigestedEvent } from '@posthorn/core/channel';
import { exactPayload, writeJson } from './exact-json.js';
import { visibleLine, visibleText } from './visible-text.js';
import { WrittenNumber } from './written-number.js';

/** The content of a message without a template, as plain text. Escape it for its place. */
export interface EventSummary {
  /** The event's type. */
  readonly title: string;
  /** The event's subject, e.g. `order o1`; null if it has none. */
  readonly subject: string | null;
  /** The first fields of the payload. A payload that is neither an object nor an array is the only field. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
  /** The number of fields that are left out. */
  readonly moreFields: number;
}

/** No channel shows more of a field. */
const maxValueLength = 4_000;
const maxNameLength = 100;
/** Cap for a list or an object: long JSON is hard to read and hides the other fields. */
const maxJsonLength = 200;

/** Summarises an event with at most `maxFields` fields: text as it is, other values as shortened JSON. */
export function summaryOf(one: DigestedEvent, maxFields: number): EventSummary {
  const { type, subject } = one.event;
  // Without fields there is no need to parse the payload again.
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

/** Formats a value. Text that is empty or blank is shown in quotes. */
const shown = (value: unknown): string =>
  typeof value === 'string' && value.trim() !== '' ? value : cutText(writeJson(value), maxJsonLength);

/** The mark at the end of a cut text. */
const mark = '…';

/** Cuts `text` to at most `maxLength` UTF-16 units, with a mark at the end and without splitting a surrogate pair. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  return text.slice(0, maxLength - mark.length).replace(/[\ud800-\udbff]$/, '') + mark;
}

/** Formats the size of a digest: `12 events`. */
export const countOf = ({ length }: readonly unknown[]): string =>
  `${length} ${length === 1 ? 'event' : 'events'}`;

/** Returns as many of the first `items` as fit into `room` by their sizes, e.g. the lines of a digest. */
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

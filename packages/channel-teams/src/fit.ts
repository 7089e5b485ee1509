import { cutText, WrittenNumber, writeJson } from '@posthorn/template';

export type Fields = Readonly<Record<string, unknown>>;

/** The lists in a card and its elements that may be cut. */
const lists = ['body', 'items', 'facts', 'inlines'] as const;

/** Builds the note that counts the removed items of a list. */
const noteIn = (list: string, text: string): Fields => {
  if (list === 'facts') return { title: '…', value: text };
  const run = { type: 'TextRun', text: list === 'inlines' ? ` ${text}` : text, isSubtle: true };
  return list === 'inlines' ? run : { type: 'RichTextBlock', inlines: [run] };
};

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof WrittenNumber);

/** Returns the size in bytes of JSON, with a comma. */
const sizeOf = (value: unknown): number => Buffer.byteLength(writeJson(value)) + 1;

/**
 * Cuts a card to `room` bytes of JSON. Lists keep their first items and a note that counts the others; a long text
 * keeps its beginning. Returns undefined if nothing would be left.
 */
export const fittedCard = (card: Fields, room: number): Fields | undefined =>
  Array.isArray(card.body) ? withFittedList(card, 'body', room) : undefined;

function fitted(element: unknown, room: number): unknown {
  if (sizeOf(element) <= room) return element;
  if (typeof element === 'string') return beginning(element, room);
  if (!isObject(element)) return undefined;
  const list = lists.find((name) => Array.isArray(element[name]));
  if (list !== undefined) return withFittedList(element, list, room);
  const field = ['text', 'value'].find((name) => typeof element[name] === 'string');
  if (field === undefined) return undefined;
  const text = beginning(String(element[field]), room - sizeOf({ ...element, [field]: '' }));
  return text === undefined ? undefined : { ...element, [field]: text };
}

function withFittedList(element: Fields, list: (typeof lists)[number], room: number): Fields | undefined {
  const items = element[list] as readonly unknown[];
  const noteOf = (more: number): Fields => noteIn(list, `… and ${more} more`);
  let left = room - sizeOf({ ...element, [list]: [] }) - sizeOf(noteOf(items.length));
  const kept: unknown[] = [];
  for (const item of items) {
    const fit = fitted(item, left);
    if (fit !== undefined) kept.push(fit);
    if (fit !== item) break;
    left -= sizeOf(item);
  }
  if (kept.length === 0) return undefined;
  const more = items.length - kept.length;
  return { ...element, [list]: more === 0 ? kept : [...kept, noteOf(more)] };
}

/** The shortest useful text. */
const shortest = 20;

/** Cuts a text to `room` bytes of JSON. Returns undefined if too little would be left. */
function beginning(text: string, room: number): string | undefined {
  let length = Math.min(text.length, room);
  while (length >= shortest && sizeOf(cutText(text, length)) > room) length = Math.floor(length * 0.9);
  return length < shortest ? undefined : cutText(text, length);
}

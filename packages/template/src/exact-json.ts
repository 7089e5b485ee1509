import { parse, stringify } from 'lossless-json';
import { isShownAs, numberOf, WrittenNumber } from './written-number.js';

/** A number that may be shown in another way than it is written has one of these; so has many a text. */
const mayBeInexact = /[\d.]{16}|\.\d*0(?!\d)|\d[eE]|-0|0\.0{5}/;

/** A string, which is passed over, or a number (RFC 8259 §6, §7). */
const stringOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;

/** Whether a JSON text has a number that JavaScript would show as another one, or in another way. */
function hasInexactNumbers(text: string): boolean {
  if (!mayBeInexact.test(text)) return false;
  for (const [token] of text.matchAll(stringOrNumber)) {
    if (!token.startsWith('"') && !isShownAs(token)) return true;
  }
  return false;
}

/** The payload of an event, whose numbers are shown as they were written: see {@link WrittenNumber}. */
export function exactPayload({
  event,
  payload,
}: {
  readonly event: { readonly payload: string };
  readonly payload: unknown;
}): unknown {
  return hasInexactNumbers(event.payload) ? parsed(event.payload) : payload;
}

/** What a JSON text says, its numbers as they were written; throws where it is none. Of a name that stands there twice, the last counts. */
export const readJson = (text: string): unknown =>
  hasInexactNumbers(text) ? parsed(text) : JSON.parse(text);

function parsed(text: string): unknown {
  /** A number that stands there twice is one value, so that `uniq` and `group_by` find it. */
  const numbers = new Map<string, number | WrittenNumber>();
  const parseNumber = (written: string): number | WrittenNumber => {
    const known = numbers.get(written) ?? numberOf(written);
    numbers.set(written, known);
    return known;
  };
  return parse(text, undefined, { parseNumber, onDuplicateKey: ({ newValue }) => newValue });
}

const ofWrittenNumbers = {
  test: (value: unknown) => value instanceof WrittenNumber,
  stringify: String,
};

/**
 * `value` as JSON, as `JSON.stringify` writes it, but with the numbers of an event as they were written: `42.00`, and
 * integers beyond 2^53. For all that a JSON template renders.
 */
export function writeJson(value: unknown, space?: number): string {
  return stringify(value, undefined, space, [ofWrittenNumbers]) ?? '';
}

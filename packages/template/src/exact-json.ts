import { parse, stringify } from 'lossless-json';
import { isShownAs, numberOf, WrittenNumber } from './written-number.js';

/** A cheap test for numbers that JavaScript may print differently. It also matches some other text. */
const mayBeInexact = /[\d.]{16}|\.\d*0(?!\d)|\d[eE]|-0|0\.0{5}/;

/** A string, which is skipped, or a number (RFC 8259 §6, §7). */
const stringOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;

/** Whether a JSON text contains a number that JavaScript would change or print differently. */
function hasInexactNumbers(text: string): boolean {
  if (!mayBeInexact.test(text)) return false;
  for (const [token] of text.matchAll(stringOrNumber)) {
    if (!token.startsWith('"') && !isShownAs(token)) return true;
  }
  return false;
}

/** Returns the payload of an event, with numbers that keep their spelling: see {@link WrittenNumber}. */
export function exactPayload({
  event,
  payload,
}: {
  readonly event: { readonly payload: string };
  readonly payload: unknown;
}): unknown {
  return hasInexactNumbers(event.payload) ? parsed(event.payload) : payload;
}

/**
 * Parses JSON with numbers that keep their spelling. Throws for invalid JSON. Of a repeated name, the last one counts.
 */
export const readJson = (text: string): unknown =>
  hasInexactNumbers(text) ? parsed(text) : JSON.parse(text);

function parsed(text: string): unknown {
  /** Equal numbers share one value, so that `uniq` and `group_by` work. */
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
 * Serializes a value like `JSON.stringify`, but keeps the spelling of an event's numbers: `42.00`, and integers beyond
 * 2^53. Use it for everything that a JSON template renders.
 */
export function writeJson(value: unknown, space?: number): string {
  return stringify(value, undefined, space, [ofWrittenNumbers]) ?? '';
}

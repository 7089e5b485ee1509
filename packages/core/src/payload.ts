import { PosthornError } from './errors.js';
import { jsonText } from './json-text.js';
import { isRawJson, parseRawJson } from './raw-json.js';

export interface PayloadLimits {
  /** Bytes of UTF-8. */
  readonly maxBytes: number;
  /** Objects and arrays within each other. */
  readonly maxDepth: number;
}

/**
 * The JSON text of a payload: `RawJson` as given, anything else as {@link jsonText} writes it. Reads the value once; no
 * code of the application runs later. Throws `invalid_payload`, `payload_too_large` or `payload_too_deep`. `what` names it
 * in messages.
 */
export function payloadText(
  payload: unknown,
  { maxBytes, maxDepth }: PayloadLimits,
  what = 'payload',
): string {
  const text = isRawJson(payload) ? payload.text : jsonText(payload, maxBytes, what);
  // UTF-8 takes at least as many bytes as there are UTF-16 units: only texts near the limit are measured.
  if (text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)) {
    throw new PosthornError('payload_too_large', `${what} must have at most ${maxBytes} bytes of JSON`);
  }
  if (isDeeperThan(text, maxDepth)) {
    const message = `${what} nests objects and arrays too deep; at most ${maxDepth} levels`;
    throw new PosthornError('payload_too_deep', message);
  }
  if (isRawJson(payload)) parseRawJson(payload);
  return text;
}

const quote = 34;
const backslash = 92;

/** Whether objects and arrays nest deeper than that in a JSON text: counts brackets outside strings; whether it is JSON is asked elsewhere. */
export function isDeeperThan(text: string, maxDepth: number): boolean {
  // Hardly any payload has so many brackets at all, and finding that out costs a hundredth of reading it.
  const half = Math.floor(maxDepth / 2);
  if (!hasMoreThan(half, '{', text) && !hasMoreThan(half, '[', text)) return false;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === backslash) i++;
      else if (code === quote) inString = false;
    } else if (code === quote) inString = true;
    else if (code === 123 || code === 91) {
      if (++depth > maxDepth) return true;
    } else if (code === 125 || code === 93) depth--;
  }
  return false;
}

function hasMoreThan(count: number, character: string, text: string): boolean {
  let found = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) {
    if (++found > count) return true;
  }
  return false;
}

import { kindOf, PosthornError } from './errors.js';

/**
 * JSON text handed to `dispatch` as it is, so that key order, number spelling (`1.10`, integers beyond 2^53) and
 * duplicate keys reach receivers unchanged. A plain string would be a payload of its own. See {@link rawJson}.
 */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }

  /** Throws `invalid_payload` where the text is no JSON. */
  parsed(): unknown {
    try {
      return JSON.parse(this.text);
    } catch (cause) {
      throw invalid('payload text must be JSON', cause);
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const invalid = (message: string, cause?: unknown): PosthornError =>
  new PosthornError('invalid_payload', message, { cause });

/**
 * Marks `json`, text or UTF-8 bytes, as a finished payload. Throws `invalid_payload` for bytes that are not UTF-8
 * and text with lone surrogates; whether it is JSON is checked at dispatch, after its size.
 */
export function rawJson(json: string | Uint8Array): RawJson {
  if (typeof json === 'string') {
    if (/\p{Cs}/u.test(json))
      throw invalid('payload text must not hold lone surrogates: they have no UTF-8 form');
    return new RawJson(json);
  }
  if (!(json instanceof Uint8Array)) throw invalid(`rawJson takes a string or bytes, not ${kindOf(json)}`);
  try {
    return new RawJson(utf8.decode(json));
  } catch (cause) {
    throw invalid('payload bytes must be UTF-8', cause);
  }
}

export interface PayloadLimits {
  /** Bytes of UTF-8. */
  readonly maxBytes: number;
  /** Objects and arrays within each other. */
  readonly maxDepth: number;
}

/**
 * The JSON text of a payload: `RawJson` as given, anything else by `JSON.stringify`. Reads the value once; no code
 * of the application runs later. Throws `invalid_payload` (no JSON form: undefined, a function, a BigInt, a circle,
 * a `toJSON` that throws), `payload_too_large` or `payload_too_deep`.
 */
export function payloadText(payload: unknown, limits: PayloadLimits): string {
  const text = payload instanceof RawJson ? payload.text : stringify(payload);
  // UTF-8 takes at least as many bytes as there are UTF-16 units: only texts near the limit are measured.
  if (
    text.length > limits.maxBytes ||
    (text.length * 3 > limits.maxBytes && Buffer.byteLength(text) > limits.maxBytes)
  ) {
    throw new PosthornError(
      'payload_too_large',
      `payload must have at most ${limits.maxBytes} bytes of JSON`,
    );
  }
  if (isDeeperThan(text, limits.maxDepth)) throw tooDeep(limits.maxDepth);
  if (payload instanceof RawJson) payload.parsed();
  return text;
}

function stringify(payload: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(payload);
  } catch (cause) {
    if (cause instanceof RangeError) {
      // V8 gives up on recursion with "Maximum call stack", on size with "Invalid string length".
      if (cause.message.includes('stack')) throw tooDeep(undefined, cause);
      throw new PosthornError('payload_too_large', 'payload is larger than a string can be', { cause });
    }
    throw invalid(
      'payload cannot be written as JSON: it holds a circle, a BigInt, or a toJSON that throws',
      cause,
    );
  }
  if (text === undefined) throw invalid(`payload must have a JSON form; ${kindOf(payload)} has none`);
  return text;
}

function tooDeep(maxDepth: number | undefined, cause?: unknown): PosthornError {
  const limit = maxDepth === undefined ? '' : `; at most ${maxDepth} levels`;
  return new PosthornError('payload_too_deep', `payload nests objects and arrays too deep${limit}`, {
    cause,
  });
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

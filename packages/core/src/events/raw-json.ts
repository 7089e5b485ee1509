import { describeType, PosthornError } from '../errors.js';

/** The same symbol in every copy of this package: an application may have two, and pass values from one to the other. */
const brand = Symbol.for('posthorn.rawJson');

/**
 * JSON text for `dispatch`. Key order, the spelling of numbers (`1.10`, integers beyond 2^53) and duplicate keys reach
 * receivers unchanged. A plain string would be a JSON string instead. See {@link rawJson}.
 */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }

  static {
    Object.defineProperty(RawJson.prototype, brand, { value: true });
  }
}

/** Whether `value` is a {@link RawJson}, also one of another copy of this package. */
export const isRawJson = (value: unknown): value is RawJson =>
  typeof value === 'object' &&
  value !== null &&
  brand in value &&
  'text' in value &&
  typeof value.text === 'string';

/** Parses the text. Throws `invalid_payload` where it is not JSON. */
export function parseRawJson({ text }: RawJson): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid('payload text must be JSON', cause);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const invalid = (message: string, cause?: unknown): PosthornError =>
  new PosthornError('invalid_payload', message, { cause });

/**
 * Marks JSON text, or its UTF-8 bytes, as a finished payload. Throws `invalid_payload` for bytes that are not UTF-8 and for
 * text with lone surrogates. Whether it is JSON is checked by `dispatch`, after its size.
 */
export function rawJson(json: string | Uint8Array): RawJson {
  if (typeof json === 'string') {
    if (/\p{Cs}/u.test(json))
      throw invalid('payload text must not hold lone surrogates: they have no UTF-8 form');
    return new RawJson(json);
  }
  if (!(json instanceof Uint8Array))
    throw invalid(`rawJson takes a string or bytes, not ${describeType(json)}`);
  try {
    return new RawJson(utf8.decode(json));
  } catch (cause) {
    throw invalid('payload bytes must be UTF-8', cause);
  }
}

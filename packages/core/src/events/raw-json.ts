import { kindOf, PosthornError } from '../errors.js';

/** The same in every copy of this package: an application may hold two, and hand what one made to the other. */
const brand = Symbol.for('posthorn.rawJson');

/**
 * JSON text handed to `dispatch` as it is, so that key order, number spelling (`1.10`, integers beyond 2^53) and
 * duplicate keys reach receivers unchanged. A plain string would be a payload of its own. See {@link rawJson}.
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

/** What the text of `json` says. Throws `invalid_payload` where it is no JSON. */
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

import { PosthornError } from '../errors.js';
import { isDeeperThan } from './json-depth.js';
import { jsonText, type PayloadLimits, tooDeep } from './json-text.js';
import { isRawJson, parseRawJson } from './raw-json.js';

/**
 * The JSON text of a payload: `RawJson` as given, anything else as {@link jsonText} writes it. Reads the value once; no
 * code of the application runs later. Throws `invalid_payload`, `payload_too_large` or `payload_too_deep`. `what` names it
 * in messages.
 */
export function payloadText(payload: unknown, limits: PayloadLimits, what = 'payload'): string {
  const { maxBytes } = limits;
  const text = isRawJson(payload) ? payload.text : jsonText(payload, limits, what);
  // UTF-8 takes at least as many bytes as there are UTF-16 units: only texts near the limit are measured.
  if (text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)) {
    throw new PosthornError('payload_too_large', `${what} must have at most ${maxBytes} bytes of JSON`);
  }
  if (isRawJson(payload)) {
    if (isDeeperThan(text, limits.maxDepth)) throw tooDeep(limits, what);
    parseRawJson(payload);
  }
  return text;
}

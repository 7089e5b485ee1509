import { PosthornError } from '../errors.js';
import { isDeeperThan } from './json-depth.js';
import { jsonText, type PayloadLimits, tooDeep } from './json-text.js';
import { isRawJson, parseRawJson } from './raw-json.js';

/**
 * Writes a payload as JSON text: `RawJson` as given, any other value by {@link jsonText}. Reads the value once; no code of the
 * application runs later. Throws `invalid_payload`, `payload_too_large` or `payload_too_deep`. `what` names the value in
 * messages.
 */
export function payloadText(payload: unknown, limits: PayloadLimits, what = 'payload'): string {
  const { maxBytes } = limits;
  const text = isRawJson(payload) ? payload.text : jsonText(payload, limits, what);
  // UTF-8 takes one to three bytes for each UTF-16 unit: only texts near the limit are measured.
  if (text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)) {
    throw new PosthornError('payload_too_large', `${what} must have at most ${maxBytes} bytes of JSON`);
  }
  if (isRawJson(payload)) {
    if (isDeeperThan(text, limits.maxDepth)) throw tooDeep(limits, what);
    parseRawJson(payload);
  }
  return text;
}

import { mask } from '../channels/mask.js';
import { findWords } from './occurrences.js';
import { mayHoldEscapes, readings, unescaped } from './unescaped.js';

/** Shorter ones occur in ordinary text. */
export const minSecretLength = 8;

/** More cannot be looked for in the time that an answer may take. */
const maxLength = 64 * 1024;

/**
 * `text` without the secrets, as they are or with any of their characters escaped as JSON, URLs or HTML do: a receiver
 * that echoes requests must not write them into our records. The beginning of a secret at the end of `text`, which
 * may have been cut there, counts. Takes time linear in the text and in the secrets, whoever chose them. Where they
 * come to more than 64 Ki characters, nothing of `text` is left.
 */
export function redact(text: string, secrets: readonly string[]): string {
  if (text.length < minSecretLength) return text;
  const forms = formsOf(secrets);
  if (forms === undefined) return mask;
  /** By where a secret begins: where the longest ends. */
  let ends: Uint32Array | undefined;
  for (const reading of readings(text)) {
    findWords(reading.text, forms, minSecretLength, (from, to) => {
      ends ??= new Uint32Array(text.length);
      const begin = reading.placeOf(from);
      ends[begin] = Math.max(ends[begin]!, reading.placeOf(to));
    });
  }
  return ends ? masked(text, ends) : text;
}

/** How secrets may read; undefined where that is too much. */
function formsOf(secrets: readonly string[]): ReadonlySet<string> | undefined {
  const forms = new Set<string>();
  let length = 0;
  for (const secret of secrets) {
    for (const form of mayHoldEscapes(secret) ? formsOfEscapes(secret) : [secret]) {
      if (form.length < minSecretLength || forms.has(form)) continue;
      length += form.length;
      if (length > maxLength) return undefined;
      forms.add(form);
    }
  }
  return forms;
}

/** Of a secret that holds what reads as an escape: as it is, without it, and with JSON's escapes around it. */
const formsOfEscapes = (secret: string): readonly string[] => [
  secret,
  unescaped(secret),
  JSON.stringify(secret).slice(1, -1),
];

/** What overlaps becomes one mask, so that where one secret is part of another nothing is left of either. */
function masked(text: string, ends: Uint32Array): string {
  let result = '';
  let end = 0;
  for (let at = 0; at < text.length; at++) {
    const to = ends[at]!;
    if (to <= end) continue;
    if (at >= end) result += text.slice(end, at) + mask;
    end = to;
  }
  return result + text.slice(end);
}

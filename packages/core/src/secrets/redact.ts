import { mask } from '../channels/mask.js';
import { findWords } from './aho-corasick.js';
import { decodeEscapes, mayHoldEscapes, readings } from './unescape.js';

/** Shorter secrets occur in ordinary text. */
export const minSecretLength = 8;

/** Searching for more takes longer than an answer may. */
const maxLength = 64 * 1024;

/**
 * Masks the secrets in `text`, as they are or with any of their characters escaped as in JSON, URLs or HTML: a receiver
 * that echoes requests must not write secrets into the log. A prefix of a secret at the end of `text`, which may have
 * been truncated there, is masked too. Takes time linear in the length of the text and of the secrets, for any input.
 * Masks the whole text where the secrets exceed 64 Ki characters.
 */
export function redact(text: string, secrets: readonly string[]): string {
  if (text.length < minSecretLength) return text;
  const forms = formsOf(secrets);
  if (forms === undefined) return mask;
  /** By the position where a secret begins: the position where the longest one ends. */
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

/** Returns the forms that the secrets may take in a text; undefined where they are too long in total. */
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

/**
 * Returns the forms of a secret that itself contains something that reads as an escape: as it is, unescaped, and
 * escaped as in JSON.
 */
const formsOfEscapes = (secret: string): readonly string[] => [
  secret,
  decodeEscapes(secret),
  JSON.stringify(secret).slice(1, -1),
];

/** Overlapping matches become one mask, so that nothing is left of a secret that is part of another one. */
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

import { mask } from './mask.js';

/** Shorter ones occur in ordinary text. */
export const minSecretLength = 8;

/**
 * `text` without the secrets, be they as they are or as JSON writes them: a receiver that echoes requests must not
 * write them into our records. The beginning of a secret at the end of `text`, which may have been cut there, counts.
 */
export function redact(text: string, secrets: readonly string[]): string {
  if (text.length < minSecretLength) return text;
  const forms = secrets.flatMap(formsOf);
  const end = Math.min(...forms.map((form) => cutAt(text, form)), text.length);
  let redacted = end < text.length ? text.slice(0, end) + mask : text;
  // The longest first: where one is part of another, nothing is left of either.
  forms.sort((one, other) => other.length - one.length);
  for (const form of forms) redacted = redacted.replaceAll(form, mask);
  return redacted;
}

/** Where `text` ends with the beginning of `secret`, the place at which that begins; else the end of `text`. */
function cutAt(text: string, secret: string): number {
  const beginning = secret.slice(0, minSecretLength);
  let at = text.indexOf(beginning, Math.max(text.length - secret.length, 0));
  while (at >= 0 && !secret.startsWith(text.slice(at))) at = text.indexOf(beginning, at + 1);
  return at < 0 ? text.length : at;
}

/** How a secret may be written: as it is, in JSON, and in JSON that escapes slashes. */
function formsOf(secret: string): readonly string[] {
  if (secret.length < minSecretLength) return [];
  const json = JSON.stringify(secret).slice(1, -1);
  return [...new Set([secret, json, json.replaceAll('/', '\\/')])];
}

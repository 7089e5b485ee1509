/** What stands where a secret stood. */
const mask = '***';

/** Shorter ones occur in ordinary text. */
const minLength = 8;

/** Shorter addresses have room for no secret, and occur in ordinary text. */
const minPathLength = 20;

/**
 * What is secret in headers and in an address: of a header the value, what follows its scheme, as in `Bearer …`, and
 * what stands in quotes; of the address its path and query, where they are long enough to hold a secret.
 */
export function secretsIn(headers: Readonly<Record<string, string>>, url: string): readonly string[] {
  const secrets = Object.values(headers).flatMap((value) => [
    value,
    ...value.split(' ').slice(1),
    ...Array.from(value.matchAll(/"([^"]*)"/g), ([, quoted]) => quoted!),
  ]);
  if (URL.canParse(url)) {
    const { pathname, search } = new URL(url);
    if (pathname.length + search.length >= minPathLength) secrets.push(pathname + search);
  }
  return secrets;
}

/**
 * `text` without the secrets, be they as they are or as JSON writes them: a receiver that echoes requests must not
 * write them into our records. The beginning of a secret at the end of `text`, which may have been cut there, counts.
 */
export function redact(text: string, ...secrets: readonly (readonly string[])[]): string {
  if (text.length < minLength) return text;
  const forms = secrets.flat().flatMap(formsOf);
  const end = Math.min(...forms.map((form) => cutAt(text, form)), text.length);
  let redacted = end < text.length ? text.slice(0, end) + mask : text;
  // The longest first: where one is part of another, nothing is left of either.
  forms.sort((one, other) => other.length - one.length);
  for (const form of forms) redacted = redacted.replaceAll(form, mask);
  return redacted;
}

/** Where `text` ends with the beginning of `secret`, the place at which that begins; else the end of `text`. */
function cutAt(text: string, secret: string): number {
  const beginning = secret.slice(0, minLength);
  let at = text.indexOf(beginning, Math.max(text.length - secret.length, 0));
  while (at >= 0 && !secret.startsWith(text.slice(at))) at = text.indexOf(beginning, at + 1);
  return at < 0 ? text.length : at;
}

/** How a secret may be written: as it is, in JSON, and in JSON that escapes slashes. */
function formsOf(secret: string): readonly string[] {
  if (secret.length < minLength) return [];
  const json = JSON.stringify(secret).slice(1, -1);
  return [...new Set([secret, json, json.replaceAll('/', '\\/')])];
}
